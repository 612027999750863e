/**
 * The manifest on its way down: each frame is held against the rules, and what
 * counts goes to the verifier, entries that follow each other in one message.
 *
 * @module
 */
import { unreachable } from "../core/actor.ts";
import type { ManifestFrame } from "../protocol/manifest.ts";
import type { ReceiverRules } from "../protocol/session.ts";
import type { Announced } from "./desk_item.ts";
import type { VerifierMessage } from "./verifier.ts";

/**
 * Passes frames of a run on.
 *
 * @throws {SftpxError} `protocol` for one that may not come now, `unauthorized`
 * for one that is more than the sender may have.
 */
export async function passManifest(
  frames: readonly ManifestFrame[],
  run: number,
  rules: ReceiverRules,
  send: (message: VerifierMessage) => Promise<void>,
): Promise<void> {
  let entries: Announced[] = [];
  const pass = async (): Promise<void> => {
    if (entries.length === 0) return;
    const list = entries;
    entries = [];
    await send({ type: "announced", run, entries: list });
  };
  for (const frame of frames) {
    if (rules.heardManifest(frame) === "drop") continue;
    switch (frame.type) {
      case "entry": {
        const { index, gen, entry } = frame;
        entries.push({ index, gen, entry });
        break;
      }
      case "digest":
      case "gone":
        await pass();
        await send({ ...frame, run });
        break;
      case "end":
        break;
      default:
        unreachable(frame);
    }
  }
  await pass();
}
