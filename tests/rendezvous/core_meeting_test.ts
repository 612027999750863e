import { assertEquals, assertRejects } from "@std/assert";
import { systemClock } from "../../core/clock.ts";
import { SftpxError } from "../../core/errors.ts";
import type { Channel } from "../../rendezvous/channel.ts";
import { ticketKeys } from "../../rendezvous/keys.ts";
import {
  type Meeting,
  type MeetingOptions,
  openMeeting,
} from "../../rendezvous/meeting.ts";
import type { Message } from "../../rendezvous/messages.ts";
import type { Candidate, Role } from "../../rendezvous/types.ts";
import { channelPair } from "./core_kit.ts";

const NEVER = new AbortController().signal;
const KEYS = ticketKeys(new Uint8Array(32).fill(1), new Uint8Array(32).fill(2));
const NONCES = {
  sender: new Uint8Array(16).fill(3),
  receiver: new Uint8Array(16).fill(4),
};

function open(
  channel: Channel,
  role: Role,
  options: Partial<MeetingOptions> = {},
): Promise<Meeting> {
  return openMeeting(channel, {
    role,
    keys: KEYS,
    nonces: NONCES,
    fingerprint: new Uint8Array(32).fill(role === "sender" ? 5 : 6),
    clock: systemClock,
    ...options,
  }, NEVER);
}

async function meet(
  pair = channelPair(),
): Promise<Readonly<Record<Role, Meeting>>> {
  const [sender, receiver] = await Promise.all([
    open(pair.channels.sender, "sender"),
    open(pair.channels.receiver, "receiver"),
  ]);
  return { sender, receiver };
}

function address(last: number): Candidate {
  return {
    kind: "lan",
    carrier: "quic",
    hostname: `10.0.0.${last}`,
    port: 4443,
  };
}

async function all(meeting: Meeting): Promise<string[]> {
  const found: string[] = [];
  for await (const { hostname } of meeting.candidates()) found.push(hostname);
  return found;
}

Deno.test("meeting: each learns the other's certificate and addresses, until one is done", async () => {
  const { sender, receiver } = await meet();
  assertEquals(sender.fingerprint, new Uint8Array(32).fill(6));
  assertEquals(receiver.fingerprint, new Uint8Array(32).fill(5));
  await sender.tell(address(1));
  await sender.tell(address(2));
  await sender.tell(address(1)); // once is enough
  await sender.close();
  assertEquals(await all(receiver), ["10.0.0.1", "10.0.0.2"]);
});

Deno.test("meeting: a peer has us dial 32 addresses at most", async () => {
  const pair = channelPair();
  const { sender, receiver } = await meet(pair);
  for (let last = 1; last <= 40; last++) await sender.tell(address(last));
  await sender.close();
  const told = pair.between.seen.filter(({ from }) => from === "sender").length;
  assertEquals(told, 1 + 32 + 1); // HERE, what fits, DONE
  assertEquals((await all(receiver)).length, 32);
});

Deno.test("meeting: who has other keys, or what was said at another meeting, is refused", async () => {
  const others: Partial<MeetingOptions>[] = [
    { keys: ticketKeys(new Uint8Array(32), new Uint8Array(32).fill(2)) },
    { nonces: { ...NONCES, sender: new Uint8Array(16) } },
    { nonces: { ...NONCES, receiver: new Uint8Array(16) } },
  ];
  for (const options of others) {
    const { channels } = channelPair();
    const results = await Promise.allSettled([
      open(channels.sender, "sender"),
      open(channels.receiver, "receiver", options),
    ]);
    for (const result of results) {
      assertEquals(result.status, "rejected");
      const { reason } = result as PromiseRejectedResult;
      assertEquals((reason as SftpxError).code, "unauthorized");
    }
  }
});

Deno.test("meeting: what is changed, dropped, repeated or moved on the way is refused", async () => {
  const data = (message: Message, change: (bytes: Uint8Array) => void) => {
    if (message.type !== "data") return message;
    const bytes = message.bytes.slice();
    change(bytes);
    return { type: "data", bytes } as const;
  };
  const spoilers: Record<string, (messages: Message[]) => Message[]> = {
    changed: ([one, ...rest]) => [
      ...one ? [data(one, (bytes) => bytes[0] = (bytes[0] ?? 0) ^ 1)] : [],
      ...rest,
    ],
    dropped: ([, ...rest]) => rest,
    repeated: ([one, ...rest]) => [...one ? [one, one] : [], ...rest],
    moved: ([one, two]) => [...two ? [two] : [], ...one ? [one] : []],
  };
  for (const [what, spoil] of Object.entries(spoilers)) {
    const pair = channelPair();
    const { sender, receiver } = await meet(pair);
    const held: Message[] = [];
    pair.between.change = (message, from) => {
      if (from === "receiver") return message;
      held.push(message);
      return undefined;
    };
    await sender.tell(address(1));
    await sender.tell(address(2));
    pair.between.change = (message) => message;
    for (const message of spoil(held)) {
      // As the one in between, in the sender's place.
      await pair.channels.sender.write(message);
    }
    await pair.channels.sender.close();
    await assertRejects(() => all(receiver), SftpxError, "changed on the way");
    assertEquals(held.length, 2, what);
  }
});

Deno.test("meeting: without a relay at the helper there is none, and with one it is granted", async () => {
  const grant = {
    type: "grant",
    udpPort: 40_000,
    tcpPort: 0,
    cookie: new Uint8Array(16),
  } as const;
  for (const granted of [undefined, grant]) {
    const pair = channelPair();
    const { sender } = await meet(pair);
    pair.between.change = (message, from) =>
      from === "sender" && message.type === "relay" ? undefined : message;
    const asked = sender.relay();
    const found = all(sender);
    await pair.channels.receiver.write(
      granted ?? { ...grant, udpPort: 0 },
    );
    assertEquals((await asked)?.udpPort, granted?.udpPort);
    await pair.channels.receiver.close();
    assertEquals(await found, []);
  }
});
