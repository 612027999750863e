import { assertEquals, assertRejects } from "@std/assert";
import { receive } from "../../actors/receive.ts";
import { SftpxError } from "../../core/errors.ts";
import { secret } from "../../core/secret.ts";
import { makeCertificate } from "../../crypto/certificate.ts";
import { tempDir } from "../testutil/temp.ts";

Deno.test("receive() says at once that there is no place for its state", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(dir.join("file"), "");
  const { cert, key } = await makeCertificate({ now: new Date() });
  const error = await assertRejects(() =>
    receive({
      bind: "127.0.0.1:0",
      certificate: { cert, key: secret(new TextEncoder().encode(key)) },
      token: "open",
      uploadDir: dir.join("uploads"),
      resumeDir: dir.join("file/state"),
    }), SftpxError);
  assertEquals(error.code, "local-io");
});
