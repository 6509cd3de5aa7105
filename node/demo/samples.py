"""Issues of our own writing for the demo: a support desk (Blue) and a development team (Green)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """An issue to begin with; comments are (user, text), files are (name, bytes)."""

    summary: str
    description: str
    type: str
    comments: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, bytes], ...] = ()


BLUE = (
    Sample(
        "Export to CSV drops the last column",
        "Steps:\n# Open *Reports*, choose any report with more than 26 columns\n# Click _Export_\n\n"
        "The file ends with column Z.\n\n{code:title=export.csv}\nid;name;...;Z\n{code}",
        "Bug",
        (
            ("alice", "Three customers have reported this since Monday."),
            ("alice", "h4. Workaround\n\nExport to *XLSX* and convert."),
        ),
        (("export.csv", b"id;name;last\n1;first;\n2;second;\n"),),
    ),
    Sample(
        "Login page shows an error after a password reset",
        "The reset itself works. The page that follows says {color:red}Something went wrong{color}.",
        "Bug",
        (("bob", "I can reproduce it with Firefox only."),),
    ),
    Sample(
        "Let people choose the time zone of their reports",
        "Today all reports are in UTC. A setting in the profile would do.",
        "Story",
        (("alice", "Asked for by the team in Lisbon, and again by the team in Osaka."),),
    ),
    Sample(
        "Rotate the certificate of the staging server",
        "It ends on the last day of the month.\n\n||Host||Ends||\n|staging-1|30th|\n|staging-2|30th|",
        "Task",
    ),
    Sample(
        "Search is slow for tenants with many labels",
        "More than 10,000 labels: the list takes *eight seconds*.",
        "Bug",
        (
            ("bob", "The query plan shows a sequential scan."),
            ("alice", "bq. The query plan shows a sequential scan.\n\nCan you attach it?"),
            ("bob", "Attached."),
        ),
        (("plan.txt", b"Seq Scan on label  (cost=0.00..1814.00 rows=100000 width=32)\n"),),
    ),
    Sample(
        "Emoji in comments arrive as question marks",
        "Seen in mails: \u201cThank you ???\u201d. Expected: \u201cThank you \U0001f64f\U0001f3fd\u201d.",
        "Bug",
        (("alice", "Umlauts are fine: \u00e4\u00f6\u00fc\u00df. So is \u65e5\u672c\u8a9e."),),
    ),
)

GREEN = (
    Sample(
        "Index the label table",
        "One index on (tenant, name). Measure before and after.",
        "Task",
        (("bob", "Needs a maintenance window of two minutes."),),
    ),
    Sample(
        "Send mails as UTF-8 with a proper header",
        "The header says ISO-8859-1. See [RFC 2045|https://www.rfc-editor.org/rfc/rfc2045].",
        "Bug",
    ),
    Sample(
        "Write down how to roll back a release",
        "* who decides\n* which buttons\n* whom to tell",
        "Task",
        (("alice", "Please include the database."),),
    ),
)
