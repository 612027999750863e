import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { createHash } from "node:crypto";
import { SftpxError } from "../core/errors.ts";
import { forAll } from "../tests/testutil/random.ts";
import { certificateFingerprint } from "./certificate_pem.ts";
import {
  checkCertificateDates,
  checkKeyPair,
  makeCertificate,
  readCertificate,
} from "./certificate.ts";

const NOW = new Date("2026-11-21T10:20:30Z");
const MADE = await makeCertificate({ now: NOW });
const OTHER = await makeCertificate({ now: NOW });
const WHAT = 'certificate "certs/cert.pem"';

function refused(pem: string): string {
  const error = assertThrows(() => readCertificate(pem, NOW, WHAT), SftpxError);
  assertEquals(error.code, "config");
  return error.message;
}

Deno.test("a certificate reads back with the fingerprint that it was made with", async () => {
  const read = readCertificate(MADE.cert, NOW);
  assertEquals(read.fingerprint, MADE.fingerprint);
  assertEquals(
    read.fingerprint.toHex(),
    createHash("sha256").update(read.der).digest("hex"),
  );
  assertEquals(await certificateFingerprint(MADE.cert), MADE.fingerprint);
  assertEquals(read.expired, false);
  assert(MADE.fingerprint.toHex() !== OTHER.fingerprint.toHex());
});

Deno.test("a certificate is valid from a day before now for ten years", () => {
  const { notBefore, notAfter } = readCertificate(MADE.cert, NOW);
  assertEquals(notBefore, new Date("2026-11-20T10:20:30Z"));
  assertEquals(notAfter, new Date("2036-11-18T10:20:30Z"));
});

Deno.test("a certificate is no CA, for servers, and has the names asked for once each", async () => {
  const { cert } = await makeCertificate({
    now: NOW,
    ips: ["192.0.2.7", "127.0.0.1", "2001:db8::7"],
    dns: ["Files.Example", "*.local", "localhost"],
  });
  const read = new x509.X509Certificate(cert);
  const basic = read.getExtension(x509.BasicConstraintsExtension);
  assertEquals([basic?.ca, basic?.critical], [false, true]);
  assertEquals(
    read.getExtension(x509.KeyUsagesExtension)?.usages,
    x509.KeyUsageFlags.digitalSignature,
  );
  assertEquals(
    [...read.getExtension(x509.ExtendedKeyUsageExtension)?.usages ?? []],
    ["1.3.6.1.5.5.7.3.1"],
  );
  const names = read.getExtension(x509.SubjectAlternativeNameExtension)?.names;
  assertEquals(names?.items.map(({ type, value }) => `${type} ${value}`), [
    "dns localhost",
    "dns files.example",
    "dns *.local",
    "ip 127.0.0.1",
    "ip ::1",
    "ip 192.0.2.7",
    "ip 2001:db8::7",
  ]);
  assertEquals(read.publicKey.algorithm, {
    name: "ECDSA",
    namedCurve: "P-256",
  } as never);
  assert(await read.isSelfSigned());
});

Deno.test("a serial number is positive and 16 bytes long whatever randomness says", async () => {
  for (const [fill, serial] of [[0x00, "40"], [0xff, "7f"]] as const) {
    const random = (n: number) => new Uint8Array(n).fill(fill);
    const { cert } = await makeCertificate({ now: NOW, random });
    const read = new x509.X509Certificate(cert);
    assertEquals(read.serialNumber.length, 32);
    assertEquals(read.serialNumber.slice(0, 2), serial);
  }
});

Deno.test("makeCertificate() refuses names and days that are none", async () => {
  const cases = [
    [{ ips: ["1.2.3"] }, '"1.2.3" is no IP address'],
    [{ ips: ["fe80::1%eth0"] }, "is no IP address"],
    [{ ips: ["example.org"] }, "is no IP address"],
    [{ dns: ["a b"] }, '"a b" is no host name'],
    [{ dns: ["bücher.example"] }, "is no host name"],
    [{ dns: ["10.0.0.1"] }, "is no host name"],
    [{ dns: [""] }, "is no host name"],
    [{ dns: [`${"a".repeat(64)}.b`] }, "is no host name"],
    [{ days: 0 }, "current value is 0"],
    [{ days: 1.5 }, "current value is 1.5"],
    [{ days: 36_501 }, "current value is 36501"],
  ] as const;
  for (const [options, text] of cases) {
    await assertRejects(
      () => makeCertificate({ now: NOW, ...options }),
      RangeError,
      text,
    );
  }
});

Deno.test("readCertificate() takes other line ends and text around the certificate", () => {
  const pem = `subject=me\r\n${MADE.cert.replaceAll("\n", "\r\n")}\r\nbye`;
  assertEquals(readCertificate(pem, NOW).fingerprint, MADE.fingerprint);
});

Deno.test("readCertificate() says in plain words what it cannot read", () => {
  const none = `Cannot read ${WHAT}: it holds no certificate in PEM form`;
  const damaged = `Cannot read ${WHAT}: it is damaged`;
  assertEquals(refused(""), none);
  assertEquals(refused("hello"), none);
  assertEquals(refused("-----BEGIN CERTIFICATE-----\nMIIB"), none);
  assertEquals(
    refused(MADE.key),
    `Cannot read ${WHAT}: it is a private key, not a certificate`,
  );
  assertEquals(
    refused(MADE.cert + OTHER.cert),
    `Cannot read ${WHAT}: it holds 2 certificates and must hold one`,
  );
  assertEquals(
    refused(MADE.cert + " ".repeat(70_000)),
    `Cannot read ${WHAT}: it is larger than 64 KiB`,
  );
  assertEquals(refused(pemOf(new Uint8Array(0))), damaged);
  assertEquals(refused(pemOf(Uint8Array.of(0x30, 0x82, 1, 0))), damaged);
  assertEquals(refused(MADE.cert.replace(/\n(..)/, "\n=$1")), damaged);
});

Deno.test("readCertificate() refuses a certificate that is cut or has bytes after its end", () => {
  const { der } = readCertificate(MADE.cert, NOW);
  for (let cut = 0; cut < der.length; cut++) {
    assertEquals(
      refused(pemOf(der.subarray(0, cut))),
      `Cannot read ${WHAT}: it is damaged`,
    );
  }
  assertEquals(
    refused(pemOf(new Uint8Array([...der, 0]))),
    `Cannot read ${WHAT}: it is damaged`,
  );
});

Deno.test("readCertificate() either reads noise or says config, and never another fingerprint for other bytes", () => {
  const { der } = readCertificate(MADE.cert, NOW);
  forAll((random) => {
    const bytes = der.slice();
    for (let flips = 1 + random() * 3; flips >= 1; flips--) {
      bytes[Math.floor(random() * bytes.length)] = random() * 256;
    }
    return bytes;
  }, (bytes) => {
    try {
      const read = readCertificate(pemOf(bytes), NOW);
      assertEquals(read.der, bytes);
      assertEquals(
        read.fingerprint.toHex() === MADE.fingerprint.toHex(),
        bytes.toHex() === der.toHex(),
      );
    } catch (error) {
      assert(error instanceof SftpxError && error.code === "config");
    }
  });
});

Deno.test("a certificate's dates are judged by the time that is given", () => {
  const early = new Date("2026-11-20T10:20:29Z");
  const last = new Date("2036-11-18T10:20:30Z");
  const late = new Date("2036-11-18T10:20:31Z");
  assertEquals(readCertificate(MADE.cert, last).expired, false);
  assertEquals(readCertificate(MADE.cert, late).expired, true);

  const read = readCertificate(MADE.cert, NOW);
  checkCertificateDates(read, last, WHAT);
  const judge = (now: Date) => () => checkCertificateDates(read, now, WHAT);
  assertThrows(
    judge(late),
    SftpxError,
    `Cannot use ${WHAT}: it has expired, on 2036-11-18`,
  );
  assertThrows(
    judge(early),
    SftpxError,
    `Cannot use ${WHAT}: it is valid from 2026-11-20 and this machine's clock says 2026-11-20`,
  );
});

Deno.test("checkKeyPair() knows the key of a certificate from another and from none", () => {
  const what = 'key "certs/key.pem"';
  const read = readCertificate(MADE.cert, NOW);
  checkKeyPair(read, MADE.key, what);
  assertThrows(
    () => checkKeyPair(read, OTHER.key, what),
    SftpxError,
    `Cannot use ${what}: it does not belong to the certificate`,
  );
  for (const key of ["", MADE.cert, MADE.key.slice(0, 90)]) {
    assertThrows(
      () => checkKeyPair(read, key, what),
      SftpxError,
      `Cannot use ${what}: it is not a private key in PEM form without a passphrase`,
    );
  }
});

function pemOf(der: Uint8Array): string {
  return `-----BEGIN CERTIFICATE-----\n${der.toBase64()}\n-----END CERTIFICATE-----\n`;
}
