/**
 * The hellos of a client.
 *
 * @module
 */
import { equalBytes } from "../core/bytes.ts";
import type { Clock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import { systemRandomBytes } from "../crypto/random.ts";
import type { RouterAddress } from "./address.ts";
import { blockOf } from "./client_answer.ts";
import type { DialledRouter } from "./client_dial.ts";
import type { H2Client } from "./client_h2.ts";
import {
  CHALLENGE_BYTES,
  commonVersion,
  decodeRouterHello,
  encodeWebHello,
  OUR_VERSIONS,
  readSignedKey,
  WEB_HELLO_HEADER,
} from "./handshake.ts";
import { verify } from "./keys.ts";
import {
  checkRouterChain,
  checkRouterHello,
  type ProvenRouter,
} from "./router_proof.ts";

/** What a session goes by. */
export type Greeted = Pick<ProvenRouter, "sessionId" | "version">;

/** TLS has proved who it is; this is what binds its words to that. */
export async function greet(
  http: H2Client,
  { leaf, identity }: Extract<DialledRouter, { way: "own" }>,
  router: RouterAddress,
  remote: string,
  clock: Clock,
): Promise<Greeted> {
  const hello = decodeRouterHello(
    await blockOf(await http.post({}, []), remote),
  );
  const [first, second] = hello.certificates;
  if (
    first === undefined || second === undefined || !equalBytes(first, leaf) ||
    !equalBytes(second, identity)
  ) {
    throw stranger(remote, "it says that it is another than TLS says");
  }
  const leafKey = checkRouterChain(hello.certificates, {
    keyHash: router.keyHash,
    now: new Date(clock.wallMs()),
  });
  const { signed, signature } = readSignedKey(hello.signedKey);
  if (!verify(leafKey, signed, signature)) {
    throw stranger(remote, "it has not signed its key");
  }
  const version = commonVersion(OUR_VERSIONS, hello.versions);
  if (version === undefined) {
    throw new SftpxError(
      "protocol",
      `Cannot speak with router "${remote}": it has versions ${hello.versions.min} to ${hello.versions.max}, we have ${OUR_VERSIONS.min} to ${OUR_VERSIONS.max}`,
    );
  }
  return { sessionId: hello.sessionId, version };
}

/** TLS has proved its name only: it signs what we have just made up. */
export async function greetAsBrowser(
  http: H2Client,
  router: RouterAddress,
  remote: string,
  clock: Clock,
): Promise<Greeted> {
  const challenge = systemRandomBytes(CHALLENGE_BYTES);
  const asked = await http.post(
    { [WEB_HELLO_HEADER]: "1" },
    [encodeWebHello(challenge)],
  );
  return checkRouterHello(decodeRouterHello(await blockOf(asked, remote)), {
    keyHash: router.keyHash,
    challenge,
    now: new Date(clock.wallMs()),
  });
}

function stranger(remote: string, reason: string): SftpxError {
  return new SftpxError(
    "unauthorized",
    `Cannot trust router "${remote}": ${reason}`,
  );
}
