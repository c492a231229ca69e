// SPDX-License-Identifier: Apache-2.0
// HTTP load as careful clients make it, and an account of every request that failed:
//
//   load HOST PORT [clients=N] [mode=keep|close] [pause=MS] [seconds=S] [requests=N] [path=/] [sources=N]
//
// Each client asks, reads the answer, rests for 0 to MS, and asks again: on the same connection, unless the
// answer said `Connection: close`, the server has closed it meanwhile, or mode is close. It ends after S
// seconds, N requests in all, or SIGTERM; requests at hand are finished first. sources=N: they come from N
// addresses, 127.0.0.2 and on. One JSON object tells how it went; each failure is a line on standard error:
// "FAILED cause local-port milliseconds".
//
// Before it asks on a kept connection it looks whether the server has closed it: what fails then crossed the
// close on its way.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { max_clients = 4096, max_causes = 32, max_servers = 64, buckets = 4000, give_up_ms = 30000 };
enum state { resting, connecting, waiting, finished };

struct client {
  enum state state;
  int fd;
  int port;           // its own, of the connection
  int kept;           // the connection has served a request before
  double since, due;  // milliseconds
  char answer[16384];
  size_t length;
};

struct tally {
  char name[64];
  long count;
};

static struct client clients[max_clients];
static struct tally causes[max_causes], servers[max_servers];
static struct sockaddr_in address;
static char request[512];
static int client_count = 10, closes, poll_fd, sources;
static long pause_ms, requests, connections, failed, most_requests = -1;
static double begun, last_ms = 1e18;
static long latency[buckets];  // by 0.25 ms
static double slowest;
static volatile sig_atomic_t told_to_end;

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void count(struct tally* all, int most, const char* name) {
  for (int i = 0; i < most; ++i) {
    if (all[i].count == 0) snprintf(all[i].name, sizeof all[i].name, "%s", name);
    if (strcmp(all[i].name, name) == 0) {
      ++all[i].count;
      return;
    }
  }
}

static void hang_up(struct client* c) {
  if (c->fd >= 0) close(c->fd);
  c->fd = -1;
  c->kept = 0;
}

static void rest(struct client* c) {
  c->state = resting;
  c->due = now_ms() + (pause_ms > 0 ? (double)(random() % (pause_ms + 1)) : 0);
}

static void fail(struct client* c, const char* format, ...) {
  char cause[64];
  va_list words;
  va_start(words, format);
  vsnprintf(cause, sizeof cause, format, words);
  va_end(words);
  ++failed;
  count(causes, max_causes, cause);
  fprintf(stderr, "FAILED %s %d %.0f\n", cause, c->port, now_ms() - begun);
  hang_up(c);
  rest(c);
  c->due += 1;  // a refused connection is not asked for again in a busy loop
}

static void watch(struct client* c, unsigned events, int operation) {
  struct epoll_event event = {.events = events, .data.u32 = (unsigned)(c - clients)};
  if (epoll_ctl(poll_fd, operation, c->fd, &event) < 0) {
    perror("epoll_ctl");
    exit(2);
  }
}

static void ask(struct client* c) {
  c->length = 0;
  c->state = waiting;
  const ssize_t sent = send(c->fd, request, strlen(request), MSG_NOSIGNAL);
  if (sent < 0) {
    fail(c, c->kept ? "%s on a kept connection" : "%s on a new connection",
         errno == EPIPE ? "closed" : strerrorname_np(errno));
  }
}

// A kept connection of which the server has let go is no use, and no failure.
static int is_usable(struct client* c) {
  char byte;
  return c->fd >= 0 && recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static void begin(struct client* c) {
  c->since = now_ms();
  if (is_usable(c)) {
    ask(c);
    return;
  }
  hang_up(c);
  c->port = 0;
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int yes = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (sources > 0) {
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(0x7f000002u + (unsigned)((c - clients) % sources))};
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
    if (bind(c->fd, (struct sockaddr*)&from, sizeof from) < 0) perror("bind");
  }
  ++connections;
  if (connect(c->fd, (struct sockaddr*)&address, sizeof address) < 0 && errno != EINPROGRESS) {
    fail(c, "%s on connecting", strerrorname_np(errno));
    return;
  }
  struct sockaddr_in own;
  socklen_t size = sizeof own;
  if (getsockname(c->fd, (struct sockaddr*)&own, &size) == 0) c->port = ntohs(own.sin_port);
  c->state = connecting;
  watch(c, EPOLLOUT, EPOLL_CTL_ADD);
}

static void connected(struct client* c) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    fail(c, "%s on connecting", strerrorname_np(error));
    return;
  }
  watch(c, EPOLLIN, EPOLL_CTL_MOD);
  ask(c);
}

static const char* header(struct client* c, const char* name, const char* end) {
  const size_t length = strlen(name);
  for (const char* line = strstr(c->answer, "\r\n"); line != NULL && line < end;
       line = strstr(line + 2, "\r\n"))
    if (strncasecmp(line + 2, name, length) == 0 && line[2 + length] == ':')
      return line + 2 + length + 1 + strspn(line + 3 + length, " ");
  return NULL;
}

static void succeed(struct client* c, const char* end) {
  const double took = now_ms() - c->since;
  const size_t bucket = (size_t)(took * 4);
  ++latency[bucket < buckets ? bucket : buckets - 1];
  if (took > slowest) slowest = took;
  ++requests;
  const char* server = header(c, "x-instance", end);
  char name[64] = "?";
  if (server != NULL) snprintf(name, sizeof name, "%.*s", (int)strcspn(server, "\r"), server);
  count(servers, max_servers, name);
  const char* connection = header(c, "connection", end);
  if (closes || (connection != NULL && strncasecmp(connection, "close", 5) == 0))
    hang_up(c);
  else
    c->kept = 1;
  rest(c);
}

// The answer so far: complete, or not yet. What has no length ends with the connection.
static void judge(struct client* c, int is_closed) {
  c->answer[c->length] = 0;
  const char* end = strstr(c->answer, "\r\n\r\n");
  if (end == NULL) {
    if (is_closed)
      fail(c, c->length > 0 ? "cut answer"
              : c->kept     ? "closed on a kept connection"
                            : "closed on a new connection");
    return;
  }
  const char* length = header(c, "content-length", end);
  if (length == NULL ? !is_closed : c->length < (size_t)(end + 4 - c->answer) + strtoul(length, NULL, 10)) {
    if (is_closed) fail(c, "cut answer");
    return;
  }
  int status = 0;
  sscanf(c->answer, "HTTP/1.1 %d", &status);
  if (status != 200)
    fail(c, "status %d", status);
  else
    succeed(c, end);
}

static void readable(struct client* c) {
  const ssize_t got = recv(c->fd, c->answer + c->length, sizeof c->answer - 1 - c->length, MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return;
  if (c->state != waiting) {  // at rest: the server closes, which begin() will see
    watch(c, 0, EPOLL_CTL_MOD);
    if (got <= 0) hang_up(c);
    return;
  }
  if (got < 0) {
    fail(c, c->kept ? "%s on a kept connection" : "%s on a new connection", strerrorname_np(errno));
    return;
  }
  c->length += (size_t)got;
  judge(c, got == 0);
}

static int is_over(double now) {
  return told_to_end || now >= last_ms || (most_requests >= 0 && requests + failed >= most_requests);
}

// Moves every client whose time has come; returns how many are still at it.
static int turn(void) {
  const double now = now_ms();
  int busy = 0;
  for (int i = 0; i < client_count; ++i) {
    struct client* c = &clients[i];
    if (c->state == resting && is_over(now)) {
      hang_up(c);
      c->state = finished;
    } else if (c->state == resting && now >= c->due) {
      begin(c);
    } else if ((c->state == connecting || c->state == waiting) && now - c->since > give_up_ms) {
      fail(c, c->state == connecting ? "no connection in 30 s" : "no answer in 30 s");
    }
    busy += c->state != finished;
  }
  return busy;
}

static double share(double part) {
  long seen = 0, all = 0;
  for (int i = 0; i < buckets; ++i) all += latency[i];
  for (int i = 0; i < buckets; ++i)
    if ((seen += latency[i]) >= (long)(part * (double)all)) return (i + 1) / 4.0;
  return 0;
}

static void print_tally(const char* name, const struct tally* all, int most) {
  printf(", \"%s\": {", name);
  for (int i = 0; i < most && all[i].count > 0; ++i)
    printf("%s\"%s\": %ld", i > 0 ? ", " : "", all[i].name, all[i].count);
  printf("}");
}

static void end(int number) {
  (void)number;
  told_to_end = 1;
}

static void read_arguments(int argc, char** argv) {
  const char* path = "/";
  for (int i = 3; i < argc; ++i) {
    char* value = strchr(argv[i], '=');
    if (value == NULL) exit(2);
    *value++ = 0;
    if (strcmp(argv[i], "clients") == 0) client_count = atoi(value);
    if (strcmp(argv[i], "mode") == 0) closes = strcmp(value, "close") == 0;
    if (strcmp(argv[i], "pause") == 0) pause_ms = atol(value);
    if (strcmp(argv[i], "requests") == 0) most_requests = atol(value);
    if (strcmp(argv[i], "seconds") == 0) last_ms = begun + atof(value) * 1e3;
    if (strcmp(argv[i], "path") == 0) path = value;
    if (strcmp(argv[i], "sources") == 0) sources = atoi(value);
  }
  if (client_count < 1 || client_count > max_clients) exit(2);
  snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s:%s\r\n%s\r\n", path, argv[1], argv[2],
           closes ? "Connection: close\r\n" : "");
  address.sin_family = AF_INET;
  address.sin_port = htons((unsigned short)atoi(argv[2]));
  if (inet_pton(AF_INET, argv[1], &address.sin_addr) != 1) exit(2);
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  begun = now_ms();
  read_arguments(argc, argv);
  signal(SIGTERM, end);
  signal(SIGINT, end);
  poll_fd = epoll_create1(EPOLL_CLOEXEC);
  for (int i = 0; i < client_count; ++i) {
    clients[i].fd = -1;
    rest(&clients[i]);
  }
  while (turn() > 0) {
    struct epoll_event events[256];
    const int ready = epoll_wait(poll_fd, events, 256, pause_ms > 0 ? 2 : 1);
    for (int i = 0; i < ready; ++i) {
      struct client* c = &clients[events[i].data.u32];
      if (c->fd < 0) continue;
      if (c->state == connecting)
        connected(c);
      else
        readable(c);
    }
  }
  printf("{\"requests\": %ld, \"connections\": %ld, \"failed\": %ld, \"seconds\": %.3f", requests,
         connections, failed, (now_ms() - begun) / 1e3);
  print_tally("causes", causes, max_causes);
  print_tally("instances", servers, max_servers);
  printf(", \"ms\": {\"p50\": %.2f, \"p90\": %.2f, \"p99\": %.2f, \"max\": %.2f}}\n", share(.5), share(.9),
         share(.99), slowest);
  return 0;
}
