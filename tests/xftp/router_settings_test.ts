/**
 * What an operator writes and sees: the configuration, the page, the identity,
 * and the files beside the page.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import {
  createIdentity,
  loadIdentity,
  renewLeaf,
} from "../../xftp/router/identity.ts";
import { lockRouter } from "../../xftp/router/lock.ts";
import { escapeHtml, routerPage } from "../../xftp/router/page.ts";
import { readSettings } from "../../xftp/router/settings.ts";
import { formatSettings } from "../../xftp/router/settings_text.ts";
import { openSite } from "../../xftp/router/site.ts";
import { tempDir } from "../testutil/temp.ts";

const NEW = {
  hosts: ["router.example", "10.0.0.7"],
  port: 5443,
  filesDir: "/srv/xftp",
  quotaBytes: 1000,
  createPassword: "create-me",
  adminPassword: "admin",
  userPassword: "user",
};

Deno.test("what init writes is what start reads", () => {
  const settings = readSettings(formatSettings(NEW), "new");
  const { hosts, port, filesDir, quotaBytes, createPassword } = settings;
  assertEquals(
    { hosts, port, filesDir, quotaBytes, createPassword },
    {
      hosts: NEW.hosts,
      port: 5443,
      filesDir: "/srv/xftp",
      quotaBytes: 1000,
      createPassword: "create-me",
    },
  );
  assertEquals([settings.adminPassword, settings.userPassword], [
    "admin",
    "user",
  ]);
  assertEquals(settings.ttlS, 48 * 3600);
  assertEquals(settings.inactiveS, 21_600);
  assertEquals([settings.controlPort, settings.prometheusPort], [
    undefined,
    undefined,
  ]);
});

Deno.test("a configuration of another router of this protocol is read", () => {
  const settings = readSettings(
    `[INFORMATION]
operator: Somebody
hosting_type = virtual
[STORE_LOG]
enable = on
store_files: memory
expire_files_hours: 24
log_stats: on
prometheus_interval: 30
[AUTH]
new_files: off
[TRANSPORT]
host: <hostnames>
port: 443
log_tls_errors: on
control_port: 5226
[FILES]
path: /srv/xftp
storage_quota: 10gb
[INACTIVE_CLIENTS]
disconnect: off
ttl: 600
check_interval: 300
[WEB]
https: 443
cert: /etc/a
key: /etc/b
`,
    "theirs",
  );
  assertEquals(settings.quotaBytes, 10 * 1024 ** 3);
  assertEquals(settings.inactiveS, undefined);
  assertEquals(settings.newFiles, false);
  assertEquals([settings.webCert, settings.webKey], ["/etc/a", "/etc/b"]);
  assertEquals(settings.information.operator, "Somebody");
});

Deno.test("a configuration that is wrong is an error with its line, and without what it says", () => {
  const wrong: [text: string, line: number][] = [
    ["port: 1", 1],
    ["[TRANSPORT]\nport: x", 2],
    ["[TRANSPORT]\nport: 65536", 2],
    ["[TRANSPORT]\n\n# port\nport: 1\nport: 2", 5],
    ["[TRANSPORT]\npotr: 1", 2],
    ["[FILES]\nport: 1", 2],
    ["[FILES]\nstorage_quota: much", 2],
    ["[AUTH]\nnew_files: yes", 2],
    ["[AUTH]\ncreate_password: s3cret with space", 2],
    ["[STORE_LOG]\nstore_files: database", 2],
    ["[STORE_LOG]\ndb_schema: x", 2],
    ["[STORE_LOG]\nwhat is this", 2],
  ];
  for (const [text, line] of wrong) {
    const error = assertThrows(() => readSettings(text, "x.ini"), SftpxError);
    assertEquals(error.code, "config");
    assert(error.message.includes(`x.ini: line ${line}:`), error.message);
    assert(!error.message.includes("s3cret"));
  }
});

Deno.test("an identity is made, read and renewed, and what does not belong together is refused", async () => {
  await using dir = await tempDir();
  const now = new Date("2026-06-01");
  const keyHash = await createIdentity(dir.path, { hosts: ["a.example"], now });
  const first = await loadIdentity(dir.path, now);
  assertEquals(first.keyHash, keyHash);
  await assertRejects(
    () => createIdentity(dir.path, { hosts: [], now }),
    SftpxError,
    "there already",
  );
  await renewLeaf(dir.path, { hosts: ["b.example"], now });
  const second = await loadIdentity(dir.path, now);
  assertEquals(second.keyHash, keyHash);
  assert(second.leafKey.der.toHex() !== first.leafKey.der.toHex());
  await assertRejects(
    () => loadIdentity(dir.path, new Date("2127-01-01")),
    SftpxError,
    "not valid at this time",
  );
  await using other = await tempDir();
  await createIdentity(other.path, { hosts: [], now });
  for (const name of ["server.key", "server.crt", "ca.crt", "fingerprint"]) {
    const own = await Deno.readTextFile(dir.join(name));
    await Deno.writeTextFile(
      dir.join(name),
      await Deno.readTextFile(other.join(name)),
    );
    const error = await assertRejects(
      () => loadIdentity(dir.path, now),
      SftpxError,
    );
    assertEquals(error.code, "config", name);
    await Deno.writeTextFile(dir.join(name), own);
  }
  await Deno.chmod(dir.join("server.key"), 0o644);
  await assertRejects(
    () => loadIdentity(dir.path, now),
    SftpxError,
    "looser than 0600",
  );
  await Deno.remove(dir.join("ca.key")); // it was taken elsewhere
  await assertRejects(
    () => renewLeaf(dir.path, { hosts: [], now }),
    SftpxError,
  );
});

Deno.test("only one router works in a folder", async () => {
  await using dir = await tempDir();
  const lock = await lockRouter(dir.join("lock"));
  const error = await assertRejects(
    () => lockRouter(dir.join("lock")),
    SftpxError,
    "another one",
  );
  assertEquals(error.code, "config");
  lock.release();
  (await lockRouter(dir.join("lock"))).release();
});

Deno.test("the page says what the operator says, and nothing of it is markup", () => {
  const settings = readSettings(
    `[INFORMATION]
operator: <script>alert("1")</script>
website: https://router.example/a
source_code: javascript:alert(1)
[AUTH]
create_password: s3cret
`,
    "x",
  );
  const page = routerPage(settings, "xftp://a@b:1", "1.2.3");
  assert(page.includes("&#60;script&#62;alert(&#34;1&#34;)"));
  assert(!page.includes("<script"));
  assert(page.includes('<a href="https://router.example/a"'));
  assert(!page.includes('href="javascript'));
  assert(!page.includes("s3cret"));
  assert(/Asks for a password<\/th><td>yes/.test(page));
  assertEquals(escapeHtml(`<&>"'`), "&#60;&#38;&#62;&#34;&#39;");
});

Deno.test("files of the operator are shown, and nothing else on the disk is", async () => {
  await using dir = await tempDir();
  await Deno.mkdir(dir.join("pages", "media"), { recursive: true });
  await Deno.writeTextFile(dir.join("secret.txt"), "secret");
  await Deno.writeTextFile(dir.join("pages", "file.html"), "<p>a file");
  await Deno.writeTextFile(dir.join("pages", "media", "a.svg"), "<svg/>");
  await Deno.writeTextFile(dir.join("pages", "long.txt"), "x".repeat(5000));
  await Deno.symlink(dir.join("secret.txt"), dir.join("pages", "link.txt"));
  const site = await openSite("<title>own", dir.join("pages"));
  const ask = async (
    path: string,
    init: RequestInit = {},
  ): Promise<[number, string, string]> => {
    const answer = await site.answer(
      new Request(`https://router.example${path}`, init),
    );
    const type = answer.headers.get("content-type") ?? "";
    return [answer.status, type.split(";")[0] ?? "", await answer.text()];
  };
  assertEquals(await ask("/"), [200, "text/html", "<title>own"]);
  assertEquals(await ask("/file"), [200, "text/html", "<p>a file"]);
  assertEquals(await ask("/media/a.svg"), [200, "image/svg+xml", "<svg/>"]);
  assertEquals(await ask("/file", { method: "HEAD" }), [200, "text/html", ""]);
  for (
    const path of [
      "/secret.txt",
      "/link.txt",
      "/../secret.txt",
      "/%2e%2e/secret.txt",
      "/media/..%2f..%2fsecret.txt",
      "//etc/passwd",
      "/constructor",
      "/media",
    ]
  ) assertEquals((await ask(path))[0], 404, path);
  const zipped = await site.answer(
    new Request("https://router.example/long.txt", {
      headers: { "accept-encoding": "gzip, br" },
    }),
  );
  assertEquals(zipped.headers.get("content-encoding"), "gzip");
  const text = await new Response(
    zipped.body?.pipeThrough(new DecompressionStream("gzip")),
  ).text();
  assertEquals(text, "x".repeat(5000));
  await assertRejects(() => openSite("", dir.join("none")), SftpxError);
});
