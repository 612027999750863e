/*
 * A long, narrow or lossy link between two network namespaces, for the bench.
 *
 *   link NAMESPACE_A NAMESPACE_B DELAY_MS LOSS_PERCENT RATE_MBIT
 *
 * It makes a TUN device "wan0" in each namespace and carries IP packets between
 * them, each way through a queue of one bandwidth-delay product of the round
 * trip (64 KB at least) that drops what does not fit, then a line of so many
 * Mbit/s, random loss, and the delay; packets keep their order. It prints
 * "ready", answers each line on stdin with a line of JSON counters, and ends
 * with stdin.
 *
 * The kernel's own netem does the same where it is built in; often it is not.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
  MTU = 1500,
  SLOT = 2048,          /* one packet, its length and when it is due */
  SLOTS = 1 << 17,      /* packets on their way, each direction; memory is taken when used */
  BATCH = 64,           /* packets read before the due ones are sent */
  NAP_NS = 100 * 1000,  /* while busy: packets then come in batches, as from a network card */
  QUEUE_BYTES = 65536,
};

struct packet {
  int64_t due;
  uint32_t length;
  uint8_t bytes[SLOT - 12];
};

enum protocol { UDP, TCP, OTHER, PROTOCOLS };
static const char *const names[PROTOCOLS] = { "udp", "tcp", "other" };

struct counts { uint64_t packets, bytes, full, lost, passed_bytes; };

struct way {
  int from, to, number;
  struct packet *ring;
  uint32_t head, tail;          /* what is on its way: head..tail */
  int64_t busy_until;           /* when the line has sent all that is queued */
  uint64_t random;
  struct counts counts[PROTOCOLS];
};

static double delay_ms, loss, rate_mbit;
static volatile int over;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* xorshift64*: the same losses in every run. */
static double chance(struct way *w) {
  w->random ^= w->random >> 12;
  w->random ^= w->random << 25;
  w->random ^= w->random >> 27;
  return (double)((w->random * UINT64_C(2685821657736338717)) >> 11) / (double)(UINT64_C(1) << 53);
}

static enum protocol protocol_of(const uint8_t *ip) {
  int version = ip[0] >> 4;
  int kind = version == 4 ? ip[9] : version == 6 ? ip[6] : 0;
  return kind == 17 ? UDP : kind == 6 ? TCP : OTHER;
}

/* Says whether the packet at the ring's tail goes on its way. */
static int admit(struct way *w, struct packet *p, int64_t now) {
  double bytes_per_ns = rate_mbit / 8e3;
  double queue = rate_mbit * 1e6 / 8 * 2 * delay_ms / 1e3;
  struct counts *c = &w->counts[protocol_of(p->bytes)];
  c->packets++;
  c->bytes += p->length;
  if (queue < QUEUE_BYTES) queue = QUEUE_BYTES;
  int64_t start = w->busy_until > now ? w->busy_until : now;
  if ((double)(start - now) * bytes_per_ns + p->length > queue || w->tail - w->head >= SLOTS - 1) {
    c->full++;
    return 0;
  }
  w->busy_until = start + (int64_t)(p->length / bytes_per_ns);
  if (chance(w) < loss) {
    c->lost++;
    return 0;
  }
  c->passed_bytes += p->length;
  p->due = w->busy_until + (int64_t)(delay_ms * 1e6);
  return 1;
}

static void *carry(void *argument) {
  struct way *w = argument;
  struct sched_param fifo = { .sched_priority = 5 };
  cpu_set_t cpu;
  CPU_ZERO(&cpu);
  CPU_SET(w->number % sysconf(_SC_NPROCESSORS_ONLN), &cpu);
  prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);
  /* A link does not wait for the programs at its ends. */
  if (sched_setscheduler(0, SCHED_FIFO, &fifo) == 0) sched_setaffinity(0, sizeof cpu, &cpu);
  while (!over) {
    int got = 0;
    for (; got < BATCH; got++) {
      struct packet *p = &w->ring[w->tail % SLOTS];
      ssize_t length = read(w->from, p->bytes, sizeof p->bytes);
      if (length <= 0) break;
      p->length = (uint32_t)length;
      if (admit(w, p, now_ns())) w->tail++;
    }
    int64_t now = now_ns();
    for (; w->head != w->tail && w->ring[w->head % SLOTS].due <= now; w->head++) {
      struct packet *p = &w->ring[w->head % SLOTS];
      while (write(w->to, p->bytes, p->length) < 0 && errno == EINTR) {}
    }
    if (got == BATCH) continue;
    int64_t wait = w->head == w->tail ? INT64_MAX : w->ring[w->head % SLOTS].due - now_ns();
    if (wait <= 0) continue;
    if (got > 0) {
      struct timespec nap = { 0, wait < NAP_NS ? wait : NAP_NS };
      nanosleep(&nap, NULL);
      continue;
    }
    if (wait < NAP_NS) wait = NAP_NS;
    if (wait > 100000000) wait = 100000000; /* looks whether it is over */
    struct timespec limit = { 0, wait };
    struct pollfd in = { w->from, POLLIN, 0 };
    ppoll(&in, 1, &limit, NULL);
  }
  return NULL;
}

static int device(const char *namespace) {
  char path[256];
  snprintf(path, sizeof path, "/var/run/netns/%s", namespace);
  int ns = open(path, O_RDONLY | O_CLOEXEC);
  if (ns < 0 || setns(ns, CLONE_NEWNET)) fail(path);
  close(ns);
  int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (tun < 0) fail("/dev/net/tun");
  struct ifreq request = { 0 };
  strcpy(request.ifr_name, "wan0");
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (ioctl(tun, TUNSETIFF, &request)) fail("TUNSETIFF");
  int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  request.ifr_mtu = MTU;
  if (ioctl(s, SIOCSIFMTU, &request)) fail("SIOCSIFMTU");
  request.ifr_qlen = 5000; /* takes in what comes while we sleep: the queue is ours */
  if (ioctl(s, SIOCSIFTXQLEN, &request)) fail("SIOCSIFTXQLEN");
  close(s);
  return tun;
}

static void tell(const struct way *ways) {
  printf("{");
  for (int n = 0; n < 2; n++) {
    printf("%s\"%s\":{", n ? "," : "", n ? "back" : "forth");
    for (int p = 0; p < PROTOCOLS; p++) {
      const struct counts *c = &ways[n].counts[p];
      printf("%s\"%s\":{\"packets\":%lu,\"bytes\":%lu,\"full\":%lu,\"lost\":%lu,\"passedBytes\":%lu}", p ? "," : "",
             names[p], c->packets, c->bytes, c->full, c->lost, c->passed_bytes);
    }
    printf("}");
  }
  printf("}\n");
  fflush(stdout);
}

int main(int argc, char **argv) {
  static struct way ways[2];
  pthread_t threads[2];
  char line[64];
  if (argc != 6) {
    fprintf(stderr, "usage: link NAMESPACE_A NAMESPACE_B DELAY_MS LOSS_PERCENT RATE_MBIT\n");
    return 2;
  }
  delay_ms = atof(argv[3]);
  loss = atof(argv[4]) / 100;
  rate_mbit = atof(argv[5]);
  if (!(delay_ms >= 0 && loss >= 0 && loss < 1 && rate_mbit > 0)) return 2;
  int a = device(argv[1]), b = device(argv[2]);
  for (int n = 0; n < 2; n++) {
    struct way *w = &ways[n];
    w->number = n;
    w->from = n ? b : a;
    w->to = n ? a : b;
    w->random = UINT64_C(88172645463325252) + n;
    w->ring = mmap(NULL, sizeof(struct packet) * SLOTS, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (w->ring == MAP_FAILED) fail("memory");
    if (pthread_create(&threads[n], NULL, carry, w)) fail("thread");
  }
  printf("ready\n");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) tell(ways);
  over = 1;
  for (int n = 0; n < 2; n++) pthread_join(threads[n], NULL);
  return 0;
}
