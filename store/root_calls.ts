/**
 * The system's own calls that an upload folder is worked on with. To open them
 * takes 4 to 5 ms, more than all else about opening the folder; so who opens one
 * for each transfer opens them once.
 *
 * @module
 */
import { type Native, openNative } from "./root_native.ts";
import { openSmallFiles, type SmallFiles } from "./root_small.ts";

/** What there is of them; nothing on other systems, or without the permission. */
export interface RootCalls {
  readonly native: Native | undefined;
  readonly small: SmallFiles | undefined;
}

/** Opens them, for one root, which lets go of them. */
export function openCalls(): RootCalls {
  return { native: openNative(), small: openSmallFiles() };
}

/** Calls for many roots. */
export interface SharedCalls {
  /** For one root more. */
  lend(): RootCalls;
  /** Lets go of them as soon as no root has them: none may call what is gone. */
  close(): void;
}

/** Opens them, for many roots. */
export function shareCalls(open: () => RootCalls = openCalls): SharedCalls {
  const { native, small } = open();
  let held = 0;
  let isClosed = false;
  const letGo = (): void => {
    if (!isClosed || held > 0) return;
    native?.close();
    small?.close();
  };
  /** What a root closes, once. */
  const closer = (): () => void => {
    let isOpen = true;
    held++;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      held--;
      letGo();
    };
  };
  return {
    lend: () => ({
      native: native && { ...native, close: closer() },
      small: small && { ...small, close: closer() },
    }),
    close() {
      if (isClosed) return;
      isClosed = true;
      letGo();
    },
  };
}
