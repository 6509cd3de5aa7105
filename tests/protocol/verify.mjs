// A second reader of the golden bytes, for Node's own crypto; HPKE written from RFC 9180. It shares no code with
// protocol/ and was written from docs/protocol.md.
//   node verify.mjs FOLDER       checks every vector, prints what disagrees, exits with 1 if anything does
//   node verify.mjs FOLDER seal  prints an envelope (hex) made with the keys of envelopes.json, for others to open
import { createCipheriv, createDecipheriv, createHash, createHmac, createPrivateKey, createPublicKey,
  diffieHellman, generateKeyPairSync, randomBytes, sign, timingSafeEqual, verify } from "node:crypto";
import { readFileSync } from "node:fs";

class Bad extends Error {}
const need = (condition, why) => { if (!condition) throw new Bad(why); };
const hex = (text) => Buffer.from(text, "hex");
const ascii = (text) => Buffer.from(text, "latin1");
const cat = (...parts) => Buffer.concat(parts);
const sha = (...parts) => createHash("sha256").update(cat(...parts)).digest();
const hmac = (key, ...parts) => createHmac("sha256", key).update(cat(...parts)).digest();
const same = (a, b) => a.length === b.length && timingSafeEqual(a, b);
const u16 = (n) => Buffer.from([n >> 8, n & 255]);
const u32 = (n) => { const b = Buffer.alloc(4); b.writeUInt32BE(n); return b; };
const framed = (...parts) => cat(...parts.flatMap((part) => [u32(part.length), part]));
const toB64 = (data) => data.toString("base64url");
function fromB64(text, length) {
  need(typeof text === "string", "base64url");
  const data = Buffer.from(text, "base64url");
  need(toB64(data) === text && (length === undefined || data.length === length), "base64url");
  return data;
}

// --- keys -----------------------------------------------------------------------------------------------------------
const P = 2n ** 255n - 19n;
const mod = (a) => ((a % P) + P) % P;
function power(base, exponent) {
  let result = 1n;
  for (base = mod(base); exponent > 0n; exponent >>= 1n, base = mod(base * base))
    if (exponent & 1n) result = mod(result * base);
  return result;
}
const D = mod(-121665n * power(121666n, P - 2n));
const little = (raw) => BigInt("0x" + Buffer.from(raw).reverse().toString("hex"));
const Y8 = 0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd83d3d706a17c7n;
const U8 = [0x00b8495f16056286fdb1329ceb8d09da6ac49ff1fae35616aeb8413b7c7aebe0n,
  0x57119fd0dd4e22d8868e1c58c45c44045bef839c55b1d0b1248c50a3bc959c5fn];
function ed25519(raw) {
  need(raw.length === 32, "length");
  const y = little(raw) & (2n ** 255n - 1n);
  need(y < P && ![0n, 1n, P - 1n, Y8, P - Y8].includes(y), "canonical, not of small order");
  const xx = mod((y * y - 1n) * power(D * y * y + 1n, P - 2n));
  need(power(xx, (P - 1n) / 2n) === 1n, "on the curve");
  return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: toB64(raw) }, format: "jwk" });
}
function x25519(raw) {
  need(raw.length === 32, "length");
  const u = little(raw);
  need(u < P && ![0n, 1n, P - 1n, ...U8].includes(u), "canonical, not of small order");
  return createPublicKey({ key: { kty: "OKP", crv: "X25519", x: toB64(raw) }, format: "jwk" });
}
const pkcs8 = (oid, raw) => createPrivateKey({ format: "der", type: "pkcs8",
  key: cat(hex(`302e020100300506032b65${oid}04220420`), raw) });
const signer = (raw) => pkcs8("70", raw);
const box = (raw) => pkcs8("6e", raw);
const rawPublic = (key) => Buffer.from(createPublicKey(key).export({ format: "jwk" }).x, "base64url");
const signed = (key, signature, ...parts) => need(verify(null, cat(...parts), key, signature), "signature");
const kid = (raw) => sha(ascii("ACC1 kid\0"), raw).subarray(0, 8);

// --- HPKE: RFC 9180, base mode, 0x0020 / 0x0001 / 0x0003 -------------------------------------------------------------
const KEM = cat(ascii("KEM"), u16(0x20));
const HPKE = cat(ascii("HPKE"), u16(0x20), u16(1), u16(3));
const extract = (suite, salt, label, ikm) => hmac(salt, ascii("HPKE-v1"), suite, ascii(label), ikm);
const expand = (suite, prk, label, info, length) =>
  hmac(prk, u16(length), ascii("HPKE-v1"), suite, ascii(label), info, Buffer.from([1])).subarray(0, length);
function schedule(shared, enc, recipient, info) {
  const none = Buffer.alloc(0);
  const eae = extract(KEM, none, "eae_prk", shared);
  const secret = expand(KEM, eae, "shared_secret", cat(enc, recipient), 32);
  const context = cat(Buffer.from([0]), extract(HPKE, none, "psk_id_hash", none), extract(HPKE, none, "info_hash", info));
  const prk = extract(HPKE, secret, "secret", none);
  return [expand(HPKE, prk, "key", context, 32), expand(HPKE, prk, "base_nonce", context, 12)];
}
function hpkeOpen(privateKey, info, sealed, aad = Buffer.alloc(0)) {
  need(sealed.length >= 48, "length");
  const enc = sealed.subarray(0, 32);
  const shared = diffieHellman({ privateKey, publicKey: x25519(enc) });
  const [key, nonce] = schedule(shared, enc, rawPublic(privateKey), info);
  const cipher = createDecipheriv("chacha20-poly1305", key, nonce, { authTagLength: 16 });
  const text = sealed.subarray(32, sealed.length - 16);
  cipher.setAAD(aad, { plaintextLength: text.length });
  cipher.setAuthTag(sealed.subarray(sealed.length - 16));
  try { return cat(cipher.update(text), cipher.final()); } catch { throw new Bad("tag"); }
}
function hpkeSeal(recipient, info, text, oneUse = generateKeyPairSync("x25519").privateKey, aad = Buffer.alloc(0)) {
  const enc = rawPublic(oneUse);
  const shared = diffieHellman({ privateKey: oneUse, publicKey: x25519(recipient) });
  const [key, nonce] = schedule(shared, enc, recipient, info);
  const cipher = createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: 16 });
  cipher.setAAD(aad, { plaintextLength: text.length });
  return cat(enc, cipher.update(text), cipher.final(), cipher.getAuthTag());
}

// --- strict JSON ------------------------------------------------------------------------------------------------------
function parseStrict(data) {
  let text;
  try { text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data); } catch { throw new Bad("UTF-8"); }
  let at = 0, values = 0;
  const blank = () => { while (" \t\r\n".includes(text[at] ?? "x")) at += 1; };
  const take = (pattern) => { pattern.lastIndex = at; const m = pattern.exec(text); if (m) at += m[0].length; return m?.[0]; };
  const string = () => {
    const found = take(/"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y);
    need(found !== undefined, "string");
    const value = JSON.parse(found);
    need(value.isWellFormed() && Buffer.byteLength(value) <= 1048576, "string");
    return value;
  };
  const value = (depth) => {
    blank();
    need((values += 1) <= 20000, "values");
    if (text[at] === '"') return string();
    if (text[at] === "{" || text[at] === "[") {
      need(depth < 32, "depth");
      const close = text[at] === "{" ? "}" : "]";
      const object = close === "}" ? new Map() : [];
      at += 1; blank();
      if (text[at] === close) { at += 1; return object; }
      for (;;) {
        if (close === "}") {
          blank();
          const key = string();
          need(!object.has(key), "duplicate key");
          blank(); need(text[at] === ":", "colon"); at += 1;
          object.set(key, value(depth + 1));
        } else object.push(value(depth + 1));
        blank();
        if (text[at] === close) { at += 1; return object; }
        need(text[at] === ",", "comma"); at += 1;
      }
    }
    const word = take(/true|false|null/y);
    if (word !== undefined) return JSON.parse(word);
    const number = take(/-?(?:0|[1-9][0-9]*)(?![0-9.eE])/y);
    need(number !== undefined && number.length <= 17 && Number.isSafeInteger(Number(number)), "number");
    return Number(number);
  };
  const result = value(0);
  blank();
  need(at === text.length, "trailing");
  return result;
}
const whole = (n, low, high) => { need(Number.isInteger(n) && n >= low && n <= high, "integer"); return n; };
const text = (s, max) => { need(typeof s === "string" && [...s].length <= max, "text"); return s; };
const list = (a, max) => { need(Array.isArray(a) && a.length <= max, "list"); return a; };
const object = (m) => { need(m instanceof Map, "object"); return m; };
const versions = (a) => { list(a, 2).forEach((n) => whole(n, 1, 255)); need(a.length === 2 && a[0] <= a[1], "versions"); return a; };
const urls = (a) => list(a ?? [], 4).map((u) => { need(/^https?:\/\/[\x21-\x7e]+$/.test(text(u, 255)), "URL"); return u; });

// --- fingerprint, statement, invitation, handshake --------------------------------------------------------------------
const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const groups = (s) => s.match(/.{4}/g).join("-");
function checks(body) {
  return body.match(/.{8}/g).map((part) => {
    const total = [...part].reduce((sum, letter, i) => {
      const n = BASE32.indexOf(letter) * (i % 2 ? 2 : 1);
      return sum + (n >> 5) + (n & 31);
    }, 0);
    return BASE32[(32 - (total % 32)) % 32];
  }).join("");
}
function fingerprint(nodeKey) {
  const bits = BigInt("0x" + sha(ascii("ACC1 node\0"), nodeKey).subarray(0, 20).toString("hex"));
  const body = Array.from({ length: 32 }, (_, i) => BASE32[Number((bits >> BigInt(155 - 5 * i)) & 31n)]).join("");
  return groups(body + checks(body));
}
function readFingerprint(typed) {
  const clean = typed.toUpperCase().replace(/[-\s]/g, "").replaceAll("0", "O").replaceAll("1", "I").replaceAll("8", "B");
  need(/^[A-Z2-7]{36}$/.test(clean) && checks(clean.slice(0, 32)) === clean.slice(32), "fingerprint");
  return groups(clean);
}
function openStatement(statement, { conn, nodeKey, pinned }) {
  const get = (k) => (statement instanceof Map ? statement.get(k) : statement[k]);
  const body = Buffer.from(text(get("b"), 4096));
  signed(ed25519(nodeKey), fromB64(get("nk_sig"), 64), ascii("ACC1 keys\0"), body);
  const m = object(parseStrict(body));
  const sk = fromB64(m.get("sk"), 32), ek = fromB64(m.get("ek"), 32);
  signed(ed25519(sk), fromB64(get("sk_sig"), 64), ascii("ACC1 pop\0"), body);
  x25519(ek);
  const v = whole(m.get("v"), 1, 2 ** 32 - 1);
  need(same(fromB64(m.get("conn"), 16), conn) && same(fromB64(m.get("nk"), 32), nodeKey), "whose");
  const prev = m.get("prev") ?? null;
  if (pinned) {
    need(v > object(parseStrict(Buffer.from(pinned.b))).get("v"), "version");
    need(prev !== null && same(fromB64(prev, 32), sha(Buffer.from(pinned.b))), "chain");
  } else need(prev === null, "first");
  return { sk, ek };
}
function readCode(pasted) {
  const code = pasted.replace(/^[>\s]+/gm, "").replace(/[\s\u00ad\u200b-\u200d\u2060\ufeff]/g, "").replace(/^[<"'`]+|[>"'`]+$/g, "");
  need(code.length <= 2048 && /^accord1\.[A-Za-z0-9_-]+$/i.test(code), "code");
  const data = fromB64(code.slice(8));
  const body = data.subarray(0, -4);
  need(body.length > 0 && same(sha(body).subarray(0, 4), data.subarray(-4)), "checksum");
  const m = object(parseStrict(body));
  whole(m.get("v"), 1, 1); versions(m.get("p")); whole(m.get("e"), 0, Number.MAX_SAFE_INTEGER); urls(m.get("u"));
  text(m.get("l") ?? "", 64);
  if (m.has("to")) readFingerprint(m.get("to"));
  const terms = { body, id: fromB64(m.get("i"), 16), nodeKey: fromB64(m.get("n"), 32), requestKey: fromB64(m.get("k"), 32),
    secret: fromB64(m.get("s"), 32), commitment: fromB64(m.get("c"), 32), protocol: m.get("p") };
  ed25519(terms.nodeKey); x25519(terms.requestKey);
  return { ...terms, digest: sha(ascii("ACC1 code\0"), body),
    conn: sha(ascii("ACC1 conn\0"), framed(terms.id, terms.secret)).subarray(0, 16) };
}
function openPairing(message, prefix, id, key) {
  need(message.length > 24 && message.length <= 16384 && message.subarray(0, 8).equals(ascii(prefix)), "prefix");
  need(message.subarray(8, 24).equals(id), "id");
  return hpkeOpen(key, message.subarray(0, 24), message.subarray(24));
}
function openM1(m1, invitation, requestKey) {
  const plain = openPairing(m1, "ACC1 m1\0", invitation.id, requestKey);
  const body = plain.subarray(32);
  need(same(plain.subarray(0, 32), hmac(invitation.secret, ascii("ACC1 mac\0"), body)), "MAC");
  const m = object(parseStrict(body));
  const nodeKey = fromB64(m.get("nk"), 32);
  need(same(fromB64(m.get("code"), 32), invitation.digest), "code");
  versions(m.get("protocol")); urls(m.get("urls")); text(m.get("label") ?? "", 64); fromB64(m.get("nonce"), 32);
  return { body, nodeKey, keys: openStatement(m.get("statement"), { conn: invitation.conn, nodeKey }) };
}
function openM2(m2, invitation, m1, ek) {
  const plain = openPairing(m2, "ACC1 m2\0", invitation.id, ek);
  const body = plain.subarray(64);
  signed(ed25519(invitation.nodeKey), plain.subarray(0, 64), ascii("ACC1 accept\0"), body);
  const m = object(parseStrict(body));
  need(same(fromB64(m.get("request"), 32), sha(m1)), "request");
  need(same(sha(ascii("ACC1 nonce\0"), fromB64(m.get("nonce"), 32)), invitation.commitment), "commitment");
  whole(m.get("version"), invitation.protocol[0], Math.min(invitation.protocol[1], 1));
  return { body, keys: openStatement(m.get("statement"), { conn: invitation.conn, nodeKey: invitation.nodeKey }) };
}
const shortCode = (transcript) =>
  String(BigInt("0x" + sha(ascii("ACC1 sas\0"), framed(transcript)).subarray(0, 8).toString("hex")) % 10n ** 12n).padStart(12, "0");

// --- envelope ---------------------------------------------------------------------------------------------------------
function openEnvelope(data, keys) {
  need(data.length >= 313 && data.length <= 232 + 129 + 1048576, "length");
  const [kind, dir, flags] = data.subarray(5, 8);
  need(data.subarray(0, 5).equals(ascii("ACC1\x01")) && dir <= 1 && flags <= 1, "constants");
  need(data.readUInt16BE(8) === 168 && data.readUInt16BE(10) === 0 && data.readUInt32BE(12) === data.length - 232, "lengths");
  const epoch = data.readBigUInt64BE(48), seq = data.readBigUInt64BE(56), prev = data.subarray(72, 104);
  const unlinked = prev.equals(Buffer.alloc(32));
  need({ 1: epoch > 0n && seq > 0n && seq < 2n ** 53n && (seq > 1n || unlinked), 2: epoch === 0n && seq === 0n && unlinked,
    4: epoch === 0n && seq > 0n && seq <= 4096n && unlinked }[kind], "slot");
  need(data.subarray(16, 32).equals(keys.conn) && dir === keys.dir, "whose");
  need(data.subarray(32, 40).equals(kid(keys.signer)) && data.subarray(40, 48).equals(kid(keys.recipient)), "keys");
  signed(ed25519(keys.signer), data.subarray(168, 232), ascii("ACC1 sig\0"), data.subarray(0, 168));
  const body = data.subarray(232);
  need(same(sha(body), data.subarray(136, 168)), "digest");
  const plain = hpkeOpen(keys.recipientPrivate, cat(ascii("ACC1 seal\0"), data.subarray(0, 136)), body);
  need(same(sha(ascii("ACC1 commit\0"), plain), data.subarray(104, 136)), "commitment");
  const first = kind === 1 && seq === 1n;
  const several = kind === 1 && plain.length > 32 && (plain[32] & 2) !== 0;
  need(plain.length >= (first ? 81 : 33) && plain[32] === (first ? 1 : 0) + (several ? 2 : 0), "codec");
  const payload = plain.subarray(first ? 81 : 33);
  return { head: sha(ascii("ACC1 head\0"), data.subarray(0, 168)), base: first ? plain.subarray(33, 81) : null,
    payload, seq, messages: kind !== 1 ? null : several ? cutMessages(payload) : [payload] };
}
function cutMessages(payload) {  // null: takes its place in the stream as one malformed message
  const messages = [];
  for (let at = 0; at < payload.length;) {
    if (at + 4 > payload.length || messages.length === 64) return null;
    const start = at + 4, end = start + payload.readUInt32BE(at);
    if (end === start || end > payload.length) return null;
    messages.push(payload.subarray(start, end));
    at = end;
  }
  return messages.length ? messages : null;
}
function sealEnvelope(keys, signerPrivate, { kind = 1, epoch, seq, prev, payload }) {
  const several = Array.isArray(payload);
  const plain = cat(randomBytes(32), Buffer.from([several ? 2 : 0]), several ? framed(...payload) : payload);
  const head = Buffer.alloc(168);
  head.write("ACC1", "latin1");
  head.set([1, kind, keys.dir, 0], 4);
  head.writeUInt16BE(168, 8); head.writeUInt32BE(plain.length + 48, 12);
  head.set(cat(keys.conn, kid(keys.signer), kid(keys.recipient)), 16);
  head.writeBigUInt64BE(epoch, 48); head.writeBigUInt64BE(seq, 56);
  head.set(prev, 72);
  head.set(sha(ascii("ACC1 commit\0"), plain), 104);
  const body = hpkeSeal(keys.recipient, cat(ascii("ACC1 seal\0"), head.subarray(0, 136)), plain);
  head.set(sha(body), 136);
  return cat(head, sign(null, cat(ascii("ACC1 sig\0"), head), signerPrivate), body);
}

// --- the vectors ------------------------------------------------------------------------------------------------------
const [folder, mode] = process.argv.slice(2);
const load = (name) => JSON.parse(readFileSync(`${folder}/${name}.json`, "utf8"));
const e = load("envelopes");
const keys = { conn: hex(e.keys.conn), dir: e.keys.dir, signer: hex(e.keys.signer_public),
  recipient: hex(e.keys.recipient_public), recipientPrivate: box(hex(e.keys.recipient_private)) };
if (mode === "seal") {
  const payload = ['{"t":"pair.confirm"}', '{"t":"conn.close"}'].map((one) => Buffer.from(one));
  const envelope = sealEnvelope(keys, signer(hex(e.keys.signer_private)), { epoch: 4294967297n, seq: 2n, prev: sha(ascii("x")), payload });
  console.log(envelope.toString("hex"));
  process.exit(0);
}
let checked = 0, wrong = 0;
function expect(name, good, run) {
  checked += 1;
  let result;
  try { result = run(); } catch (error) {
    if (!(error instanceof Bad)) { wrong += 1; console.log(`${name}: broke with ${error}`); return; }
    if (good) { wrong += 1; console.log(`${name}: refused (${error.message}), should be accepted`); }
    return;
  }
  if (!good) { wrong += 1; console.log(`${name}: accepted, should be refused`); }
  else if (result === false) { wrong += 1; console.log(`${name}: another result`); }
}
const k = load("keys");
for (const row of k.ed25519) expect(`Ed25519 ${row.name}`, row.good, () => (ed25519(hex(row.key)), kid(hex(row.key)).toString("hex") === row.kid));
for (const row of k.x25519) expect(`X25519 ${row.name}`, row.good, () => (x25519(hex(row.key)), kid(hex(row.key)).toString("hex") === row.kid));
for (const row of load("hpke").seal) {
  expect(`HPKE open ${row.name}`, true, () => hpkeOpen(box(hex(row.private)), hex(row.info), hex(row.sealed), hex(row.aad)).toString("hex") === row.plaintext);
  expect(`HPKE seal ${row.name}`, true, () => hpkeSeal(hex(row.public), hex(row.info), hex(row.plaintext), box(hex(row.one_use)), hex(row.aad)).toString("hex") === row.sealed);
}
const f = load("fingerprints");
for (const row of f.of_key) expect("fingerprint", true, () => fingerprint(hex(row.key)) === row.fingerprint);
for (const row of f.read) expect(`fingerprint ${row.text}`, true, () => readFingerprint(row.text) === row.fingerprint);
for (const typed of f.refuse) expect(`fingerprint ${typed}`, false, () => readFingerprint(typed));
const s = load("statements");
for (const row of s.statements) expect(`statement ${row.name}`, row.good, () => openStatement(row.statement, { conn: hex(s.conn), nodeKey: hex(s.node_key), pinned: row.pinned }));
const i = load("invitations");
for (const row of i.good) expect(`code ${row.name}`, true, () => { const c = readCode(row.text); return toB64(c.body) === i.body && c.digest.toString("hex") === i.digest && c.conn.toString("hex") === i.conn; });
for (const row of i.good_others) expect(`code ${row.name}`, true, () => readCode(row.text));
for (const row of i.bad) expect(`code ${row.name}`, false, () => readCode(row.text));
const h = load("handshake");
const invitation = readCode(h.code);
const requestKey = box(hex(h.private.request_key)), bobEk = box(hex(h.private.bob_sk_ek).subarray(32));
expect("M1, M2, transcript, short code", true, () => {
  const one = openM1(hex(h.m1), invitation, requestKey), two = openM2(hex(h.m2), invitation, hex(h.m1), bobEk);
  const transcript = sha(ascii("ACC1 transcript\0"), framed(invitation.digest, invitation.nodeKey, one.nodeKey, one.body, two.body));
  return toB64(one.body) === h.m1_body && toB64(two.body) === h.m2_body && transcript.toString("hex") === h.transcript && shortCode(transcript) === h.short_code;
});
for (const row of h.bad_m1) expect(`M1 ${row.name}`, false, () => openM1(hex(row.bytes), invitation, requestKey));
for (const row of h.bad_m2) expect(`M2 ${row.name}`, false, () => openM2(hex(row.bytes), invitation, hex(h.m1), bobEk));
for (const row of h.short_codes) expect("short code", true, () => shortCode(hex(row.transcript)) === row.short_code);
const j = load("strict_json");
for (const row of j.good) expect(`JSON ${row.name}`, true, () => (parseStrict(fromB64(row.bytes)), true));
for (const row of j.bad) expect(`JSON ${row.name}`, false, () => parseStrict(fromB64(row.bytes)));
for (const row of e.good) expect(`envelope ${row.name}`, true, () => {
  const o = openEnvelope(hex(row.envelope), keys);
  return o.payload.toString("hex") === row.payload && o.head.toString("hex") === row.head && (o.base?.toString("hex") ?? null) === row.base && String(o.seq) === row.fields.seq
    && JSON.stringify(o.messages?.map((one) => one.toString("hex")) ?? null) === JSON.stringify(row.messages);
});
for (const row of e.bad) expect(`envelope ${row.name}`, false, () => openEnvelope(hex(row.envelope), keys));
for (const row of load("message_ids").mids) expect("message id", true, () =>
  hmac(hex(row.key), ascii("ACC1 mid\0"), framed(Buffer.from(row.kind), Buffer.from(row.local), Buffer.from(row.revision))).subarray(0, 16).toString("hex") === row.mid);
console.log(`${checked} checked, ${wrong} wrong`);
process.exit(wrong ? 1 : 0);
