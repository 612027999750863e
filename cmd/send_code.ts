/**
 * `sftpx send PATH... --code`: offers files to whoever has the code.
 *
 * @module
 */
import type { MetReceiver, OfferByCodeOptions } from "../rendezvous/meet.ts";
import { parseCode } from "../rendezvous/code.ts";
import { isLocalSlot } from "../rendezvous/code.ts";
import { codeLink, hideArgument } from "./code_words.ts";
import { meetOptions } from "./meet.ts";
import { showQr } from "./qr.ts";
import type { Values } from "./settings.ts";
import type { Surroundings } from "./main.ts";
import type { SEND } from "./tables.ts";

/** Says a code, and waits for the one who has it. */
export async function meetReceiver(
  flags: Values<typeof SEND>,
  surroundings: Surroundings,
): Promise<MetReceiver> {
  const { io, output } = surroundings;
  const { code: phrase, helper, words } = flags;
  if (phrase) await hideArgument(phrase);
  const { offerByCode } = await import("../rendezvous/meet.ts");
  const options: OfferByCodeOptions = {
    // Without a helper there is still the network that we are on.
    ...meetOptions(
      { ...flags, local: flags.local || helper === undefined && !phrase },
      surroundings,
    ),
    ...phrase && { phrase },
    ...words !== undefined && { words },
    onCode(code) {
      const isLocal = isLocalSlot(parseCode(code).slot);
      if (isLocal && !flags.local) {
        const reason = helper === undefined
          ? "there is no helper"
          : "the helper cannot be reached";
        output.event({
          type: "warning",
          message: `${reason}: the other side must be on the same network`,
        });
      }
      const link = isLocal || helper === undefined
        ? code
        : codeLink(helper, code);
      output.note("on the other machine: sftpx recv CODE, where CODE is");
      output.data(code, { type: "code", code, link });
      showQr(io, link);
      output.note("waiting for the other side");
    },
  };
  const met = await offerByCode(options);
  output.note("the other side has the code");
  return met;
}
