import { assertEquals } from "@std/assert";
import { unsizedDevices } from "./unsized.ts";

const MOUNTS = [
  "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw",
  "23 22 0:21 / /proc rw,nosuid - proc proc rw",
  "24 22 0:22 / /sys rw - sysfs sysfs rw",
  "25 24 0:300 / /sys/fs/cgroup rw shared:4 master:5 - cgroup2 cgroup2 rw",
  "26 22 0:24 / /tmp/a\\040-\\040proc rw - tmpfs tmpfs rw",
  "27 22 0:25 / /mnt rw - fuse.sshfs host:/ rw",
  "28 22 0:26 / /odd rw - procession none rw",
  "a line that says nothing",
  "",
].join("\n");

Deno.test("unsizedDevices() are those whose files have content and no size", () => {
  let asked = 0;
  const devices = unsizedDevices(() => {
    asked++;
    return MOUNTS;
  });
  assertEquals(asked, 0);
  // As the system has them: the last byte of the minor number first.
  assertEquals([...devices()], [21n, 0x10002cn, 25n]);
  devices();
  assertEquals(asked, 1);
});

Deno.test({
  name: "unsizedDevices() know that of /proc as a look at it tells it",
  ignore: Deno.build.os !== "linux",
  fn() {
    const { dev } = Deno.lstatSync("/proc/version");
    assertEquals(unsizedDevices()().has(BigInt(dev)), true);
    const { dev: other } = Deno.lstatSync(".");
    assertEquals(unsizedDevices()().has(BigInt(other)), false);
  },
});
