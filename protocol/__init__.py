"""What two nodes say to each other. Pure: no I/O, no clock, never imports ``node``."""
