import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import { makeCertificate } from "../../crypto/certificate.ts";
import {
  type LanMeeting,
  lanMeetings,
  type LanOptions,
} from "../../rendezvous/lan.ts";
import {
  decodeAnnouncement,
  encodeAnnouncement,
} from "../../rendezvous/lan_announce.ts";
import { lanRadio } from "../../rendezvous/lan_radio.ts";
import { CERTIFICATE } from "../loopback/quic_pair.ts";
import { within } from "../testutil/deadline.ts";
import { settle } from "../testutil/fake_clock.ts";
import { forAll, randomBytes } from "../testutil/random.ts";
import { ether } from "./ether.ts";

/** What two come for. */
function topicOf(number: number): Uint8Array {
  const topic = new Uint8Array(16);
  new DataView(topic.buffer).setUint32(12, number);
  return topic;
}

/** Someone who looks for a peer, and whom it meets. */
function seeker(options: LanOptions) {
  const stop = new AbortController();
  const met: LanMeeting[] = [];
  const first = Promise.withResolvers<LanMeeting>();
  const second = Promise.withResolvers<LanMeeting>();
  const run = async (): Promise<void> => {
    for await (const meeting of lanMeetings(options, stop.signal)) {
      met.push(meeting);
      (met.length === 1 ? first : second).resolve(meeting);
    }
  };
  const done = run();
  return {
    met,
    first: first.promise,
    second: second.promise,
    async stop() {
      for (const { conn } of met) conn.close();
      stop.abort();
      await done;
    },
  };
}

Deno.test("LAN: a sender and a receiver that have come for the same meet, whoever comes first", async () => {
  for (const order of ["sender first", "receiver first"]) {
    const { radio } = ether();
    const make = {
      sender: () =>
        seeker({
          does: "announce",
          topic: topicOf(7),
          certificate: CERTIFICATE,
          radio: radio(),
        }),
      receiver: () =>
        seeker({ does: "seek", topic: topicOf(7), radio: radio() }),
    };
    const early = order === "sender first" ? make.sender() : make.receiver();
    await settle();
    const late = order === "sender first" ? make.receiver() : make.sender();
    const [one, two] = await within(
      20_000,
      order,
      Promise.all([early.first, late.first]),
    );
    assertEquals(one.fingerprint, CERTIFICATE.fingerprint);
    await one.stream.send.write(new TextEncoder().encode("words"));
    const said = await two.stream.receive.readFully(new Uint8Array(5));
    assertEquals(new TextDecoder().decode(said), "words");
    await Promise.all([early.stop(), late.stop()]);
    await settle();
  }
});

Deno.test("LAN: others who send on the same network are passed by, and cost nobody anything", async () => {
  const { radio } = ether();
  const others = await Promise.all([11, 12, 13].map(async (slot) =>
    seeker({
      does: "announce",
      topic: topicOf(slot),
      certificate: await makeCertificate({ now: new Date() }),
      radio: radio(),
    })
  ));
  const receiver = seeker({ does: "seek", topic: topicOf(7), radio: radio() });
  await settle();
  const sender = seeker({
    does: "announce",
    topic: topicOf(7),
    certificate: CERTIFICATE,
    radio: radio(),
  });
  const { fingerprint } = await within(20_000, "the sender", receiver.first);
  assertEquals(fingerprint, CERTIFICATE.fingerprint);
  assertEquals(receiver.met.length, 1);
  assertEquals(others.map(({ met }) => met.length), [0, 0, 0]);
  await Promise.all([receiver, sender, ...others].map((peer) => peer.stop()));
  await settle();
});

Deno.test("LAN: one who announces another's certificate at its own port is not met (S13)", async () => {
  const { radio, say } = ether();
  const impostor = seeker({
    does: "announce",
    topic: topicOf(7),
    certificate: await makeCertificate({ now: new Date() }),
    radio: radio(),
  });
  const receiver = seeker({ does: "seek", topic: topicOf(7), radio: radio() });
  const first = await within(20_000, "somebody", receiver.first);
  const port = Number(first.conn.remote.split(":").at(-1));
  say(encodeAnnouncement({ port, fingerprint: CERTIFICATE.fingerprint }));
  const sender = seeker({
    does: "announce",
    topic: topicOf(7),
    certificate: CERTIFICATE,
    radio: radio(),
  });
  const next = await within(20_000, "the sender", receiver.second);
  assertEquals(next.fingerprint, CERTIFICATE.fingerprint);
  assertNotEquals(next.conn.remote, first.conn.remote);
  assertEquals(receiver.met.length, 2);
  await Promise.all([impostor, receiver, sender].map((peer) => peer.stop()));
  await settle();
});

Deno.test("LAN: what is announced is the same whatever the code is, and has nothing of it", async () => {
  const words = [];
  for (const slot of [7, 99_999]) {
    const { radio, heard } = ether();
    const sender = seeker({
      does: "announce",
      topic: topicOf(slot),
      certificate: CERTIFICATE,
      radio: radio(),
    });
    await settle();
    await sender.stop();
    const [bytes] = heard;
    assert(bytes !== undefined);
    bytes.fill(0, 5, 7); // the port is the system's choice
    words.push(bytes);
  }
  assertEquals(words[0], words[1]);
});

Deno.test("LAN: announcements read back, and nothing else is one", () => {
  forAll((random) => ({
    port: 1 + Math.floor(random() * 65_535),
    fingerprint: randomBytes(random, 32),
  }), (said) => {
    const bytes = encodeAnnouncement(said);
    assertEquals(decodeAnnouncement(bytes), said);
    for (let cut = 0; cut < bytes.length; cut++) {
      assertEquals(decodeAnnouncement(bytes.subarray(0, cut)), undefined);
    }
    for (let at = 0; at < 5; at++) {
      const other = bytes.slice();
      other[at] = (other[at] ?? 0) ^ 0x10;
      assertEquals(decodeAnnouncement(other), undefined);
    }
  }, { runs: 50 });
  assertEquals(decodeAnnouncement(randomBytes(Math.random, 39)), undefined);
  assertThrows(
    () => encodeAnnouncement({ port: 1, fingerprint: new Uint8Array(31) }),
    RangeError,
  );
});

Deno.test("LAN: multicast reaches this machine itself, and an address that is not ours says so", async () => {
  const options = { addresses: ["127.0.0.1"], port: 42_781 };
  const [one, two] = [await lanRadio(options), await lanRadio(options)];
  const words = encodeAnnouncement({
    port: 5,
    fingerprint: new Uint8Array(32),
  });
  await one.send(words);
  const heard = await within(20_000, "the announcement", two.receive());
  assertEquals(heard?.bytes, words);
  assertEquals(heard?.from.hostname, "127.0.0.1");
  one.close();
  two.close();
  assertEquals(await two.receive(), undefined);
  const error = await assertRejects(
    () => lanRadio({ ...options, addresses: ["192.0.2.199"] }),
    SftpxError,
  );
  assertEquals(error.code, "unreachable");
});
