import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { systemClock } from "../../core/clock.ts";
import { SftpxError } from "../../core/errors.ts";
import { secret } from "../../core/secret.ts";
import { makeCertificate } from "../../crypto/certificate.ts";
import { systemRandomBytes } from "../../crypto/random.ts";
import {
  encodeOffer,
  formatOffer,
  isForChat,
  type Offer,
  parseOffer,
} from "../../rendezvous/offer.ts";
import { offerHelper } from "../../rendezvous/offer_helper.ts";
import {
  beginOffer,
  offeredIdentity,
  type OfferMet,
} from "../../rendezvous/offer_keys.ts";
import type { PeerOptions } from "../../rendezvous/peer_options.ts";
import { openReceiverSide } from "../../rendezvous/receiver.ts";
import { openSenderSide } from "../../rendezvous/sender.ts";
import { stunPort } from "../../rendezvous/stun_port.ts";
import { stunServer } from "../../rendezvous/stun_server.ts";
import { bindDatagrams } from "../../rendezvous/stun_socket.ts";
import type { Candidate, Role } from "../../rendezvous/types.ts";
import { pasted } from "../../cmd/offer.ts";
import { receiveByOffer, sendByOffer } from "../../rendezvous/meet_offer.ts";
import { createEndpoint } from "../../transport/quic.ts";
import { within } from "../testutil/deadline.ts";
import { forAll, intBetween, randomBytes } from "../testutil/random.ts";

function offerOf(
  role: Role,
  share: Uint8Array,
  more: Partial<Offer> = {},
): Offer {
  return {
    role,
    share,
    fingerprint: new Uint8Array(32).fill(role === "sender" ? 1 : 2),
    identity: new Uint8Array(32).fill(role === "sender" ? 3 : 4),
    candidates: [
      {
        kind: "reflexive",
        carrier: "quic",
        hostname: "198.51.100.2",
        port: 4000,
      },
    ],
    ...more,
  };
}

Deno.test("offer: reads back, and every truncation and every slip is noticed", () => {
  forAll((random): Offer => ({
    role: random() < 0.5 ? "sender" : "receiver",
    share: randomBytes(random, 32),
    fingerprint: randomBytes(random, 32),
    identity: randomBytes(random, 32),
    candidates: Array.from({ length: intBetween(random, 0, 8) }, () => ({
      kind: "host",
      carrier: random() < 0.5 ? "quic" : "tcp",
      hostname: random() < 0.5 ? "203.0.113.9" : "2001:db8::7",
      port: intBetween(random, 1, 65_535),
    })),
  }), (offer) => {
    const text = formatOffer(offer);
    assertEquals(parseOffer(text), offer);
    for (let cut = 0; cut < text.length; cut += 7) {
      assertThrows(() => parseOffer(text.slice(0, cut)), SftpxError);
    }
    const at = 12 + (text.length - 12) / 2 | 0;
    const other = text[at] === "A" ? "B" : "A";
    assertThrows(
      () => parseOffer(text.slice(0, at) + other + text.slice(at + 1)),
      SftpxError,
    );
  }, { runs: 60 });
});

Deno.test("offer: a chat may break its line and put words around it", () => {
  const offer = offerOf("sender", new Uint8Array(32).fill(5));
  const text = formatOffer(offer);
  const broken = `${text.slice(0, 60)}\n${text.slice(60, 120)}\r\n  ${
    text.slice(120)
  }`;
  for (
    const pasted of [
      ` ${text} `,
      `here it is: ${text}, thanks`,
      broken,
      `> hello\n${broken}\nthanks a lot`,
    ]
  ) assertEquals(parseOffer(pasted), offer);
  for (
    const no of ["", "sftpx-offer:", "sftpx://host/#abc", "x".repeat(9000)]
  ) {
    const error = assertThrows(() => parseOffer(no), SftpxError);
    assertEquals(error.code, "usage");
  }
});

Deno.test("offer: no address of a network behind a router is in a chat (S12)", () => {
  const at = (hostname: string): Candidate => ({
    kind: "lan",
    carrier: "quic",
    hostname,
    port: 1,
  });
  const private_ = [
    "192.168.1.10",
    "10.0.0.1",
    "fd00::1",
    "127.0.0.1",
    "fe80::1",
  ];
  assertEquals(private_.map(at).filter(isForChat), []);
  assertEquals(
    ["198.51.100.2", "2001:db8::1"].map(at).filter(isForChat).length,
    2,
  );
});

Deno.test("offer: both sides come to the same keys and words; a changed offer, our own, one of our role and a false share give none", () => {
  const [one, two] = [
    beginOffer(systemRandomBytes),
    beginOffer(systemRandomBytes),
  ];
  const mine = offerOf("sender", one.share);
  const theirs = offerOf("receiver", two.share);
  const [met, other] = [one.finish(mine, theirs), two.finish(theirs, mine)];
  assertEquals(met.keys, other.keys);
  assertEquals(met.words, other.words);
  assertEquals(met.token.reveal(), other.token.reveal());
  assertEquals([met.fingerprint[0], other.fingerprint[0]], [2, 1]);

  const changed = { ...theirs, candidates: [] };
  const apart = one.finish(mine, changed);
  assert(apart.words !== met.words);
  assert(apart.keys.path.toHex() !== met.keys.path.toHex());

  const own = assertThrows(() => one.finish(mine, mine), SftpxError, "our own");
  assertEquals(own.code, "usage");
  assertThrows(
    () => one.finish(mine, offerOf("sender", two.share)),
    SftpxError,
    "as we are",
  );
  for (
    const share of [new Uint8Array(32), Uint8Array.of(1, ...new Uint8Array(31))]
  ) {
    const error = assertThrows(
      () => one.finish(mine, { ...theirs, share }),
      SftpxError,
    );
    assertEquals(error.code, "unauthorized");
  }
});

Deno.test("offer: an identity does not show, and is the same each time", () => {
  const identity = new Uint8Array(32).fill(9);
  assertEquals(offeredIdentity(identity), offeredIdentity(identity));
  assert(
    !encodeOffer(offerOf("sender", identity)).toHex().includes(
      offeredIdentity(identity).toHex(),
    ),
  );
});

Deno.test("stunPort(): the port that was asked for is free for QUIC afterwards", async () => {
  const socket = bindDatagrams({ hostname: "127.0.0.1", port: 0 });
  const server = stunServer({ socket });
  const found = await stunPort(socket.address, {
    clock: systemClock,
    randomBytes: systemRandomBytes,
    signal: new AbortController().signal,
  });
  assertEquals(found.mapped, { hostname: "127.0.0.1", port: found.port });
  const endpoint = createEndpoint({ hostname: "0.0.0.0", port: found.port });
  assertEquals(endpoint.port, found.port);
  endpoint.close();
  server.close();
});

/** A side, its certificate and what it offers. */
async function sideOf(role: Role) {
  const made = await makeCertificate({ now: new Date() });
  const share = beginOffer(systemRandomBytes);
  return { role, made, share };
}

function optionsOf(
  side: Awaited<ReturnType<typeof sideOf>>,
  theirs: Offer,
  met: OfferMet,
): PeerOptions {
  return {
    certificate: {
      cert: side.made.cert,
      key: secret(new TextEncoder().encode(side.made.key)),
    },
    fingerprint: side.made.fingerprint,
    helper: () => offerHelper({ theirs, keys: met.keys, clock: systemClock }),
    addresses: () => ["127.0.0.1"],
  };
}

Deno.test("offer: two who have pasted each other's offers are connected, and a third is not", async () => {
  const sender = await sideOf("sender");
  const receiver = await sideOf("receiver");
  // The ports must be known before the offers are: as STUN finds them.
  const port = (): number => {
    const socket = bindDatagrams({ hostname: "0.0.0.0", port: 0 });
    socket.close();
    return socket.address.port;
  };
  const at = (port: number): Candidate => ({
    kind: "host",
    carrier: "quic",
    hostname: "127.0.0.1",
    port,
  });
  const bind = { hostname: "0.0.0.0", port: port() };
  const mine = offerOf("sender", sender.share.share, {
    fingerprint: sender.made.fingerprint,
    candidates: [],
  });
  const theirs = offerOf("receiver", receiver.share.share, {
    fingerprint: receiver.made.fingerprint,
    candidates: [at(bind.port)],
  });
  const [met, other] = [
    sender.share.finish(mine, theirs),
    receiver.share.finish(theirs, mine),
  ];
  const taking = openReceiverSide({
    ...optionsOf(receiver, mine, other),
    bind,
  });
  const listener = taking.listen(other.keys);
  const giving = openSenderSide(optionsOf(sender, theirs, met));
  const signal = new AbortController().signal;
  const [near, far] = await within(
    20_000,
    "the connection",
    Promise.all([
      giving.dialers({ keys: met.keys, fingerprint: met.fingerprint }).cubic
        .dial(signal),
      listener.accept(),
    ]),
  );
  assert(far !== undefined);
  const stream = await near.openUni();
  await stream.write(Uint8Array.of(7));
  const came = await far.acceptUni();
  assertEquals(await came?.readFully(new Uint8Array(1)), Uint8Array.of(7));

  // Who has read the chat knows where the receiver is, and no more.
  const eve = await sideOf("sender");
  const evil = offerOf("sender", eve.share.share, {
    fingerprint: eve.made.fingerprint,
    candidates: [],
  });
  const guess = eve.share.finish(evil, theirs);
  const prying = openSenderSide(optionsOf(eve, theirs, guess));
  const stop = new AbortController();
  const dialing = prying.dialers({
    keys: guess.keys,
    fingerprint: guess.fingerprint,
  }).cubic.dial(stop.signal);
  const late = systemClock.delay(1500).then(() => stop.abort());
  await assertRejects(() => dialing);
  await late;
  prying.close();
  giving.close();
  taking.close();
  await systemClock.delay(300);
});

Deno.test("offer: by STUN and paste, whoever pastes first, and however long the other takes", async () => {
  const socket = bindDatagrams({ hostname: "127.0.0.1", port: 0 });
  const server = stunServer({ socket });
  const [given, taken] = [
    Promise.withResolvers<string>(),
    Promise.withResolvers<string>(),
  ];
  const words: string[] = [];
  const options = (
    mark: number,
    exchange: (offer: string) => Promise<string>,
  ) => ({
    stun: socket.address,
    identity: new Uint8Array(32).fill(mark),
    exchange,
    onWords: (said: string) => void words.push(said),
    signal: new AbortController().signal,
    addresses: () => ["127.0.0.1"],
    isTold: () => true, // there is nothing but loopback here
  });
  const sending = sendByOffer(options(1, (offer) => {
    given.resolve(offer);
    return taken.promise;
  }));
  const receiving = receiveByOffer(options(2, async (offer) => {
    taken.resolve(offer);
    return `they said:\n${await given.promise}\n`;
  }));
  const sender = await within(20_000, "the sender", sending);
  const dialing = sender.dialers.cubic.dial(new AbortController().signal);
  const receiver = await within(20_000, "the receiver", receiving);
  const [near, far] = await within(
    20_000,
    "the connection",
    Promise.all([dialing, receiver.listener.accept()]),
  );
  assert(near !== undefined && far !== undefined);
  assertEquals(words[0], words[1]);
  assertEquals(sender.identity, offeredIdentity(new Uint8Array(32).fill(2)));
  assertEquals(sender.token?.reveal(), receiver.token.reveal());
  sender.close();
  receiver.close();
  server.close();
  await systemClock.delay(300);
});

Deno.test("offer: what is pasted may come in parts and lines; what is none is said with a hint", async () => {
  const text = formatOffer(offerOf("sender", new Uint8Array(32).fill(5)));
  const signal = new AbortController().signal;
  const stream = (...parts: string[]): ReadableStream<Uint8Array> =>
    ReadableStream.from(parts.map((part) => new TextEncoder().encode(part)));
  const whole = await pasted(
    stream("here:\n", text.slice(0, 50), `\n${text.slice(50)}`, "\n", "more"),
    signal,
  );
  assertEquals(parseOffer(whole), parseOffer(text));
  const error = await assertRejects(
    () => pasted(stream("hello\n", "there\n"), signal),
    SftpxError,
  );
  assertEquals(error.code, "usage");
});
