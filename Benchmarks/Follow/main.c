// Follows event streams over many connections and measures how late events arrive; and the bare fan-out beside it.
//
//     crowbar-bench-follow streams PORT RATE SECONDS TOKEN CHANNEL... < FOLLOWERS
//     crowbar-bench-follow fanout COUNT RATE SECONDS BYTES
//
// `streams` opens GET /api/events/stream for each line `TOKEN ADDRESS PATH` of the input (ADDRESS goes into
// X-Forwarded-For), and once all are open it posts so many messages a second with TOKEN, to the channels in turn. Each
// message has the time at which it was posted. `fanout` forks a process that writes a frame of so many bytes to so many
// sockets, one write each, with nothing else to do.
//
// Prints `P50 P99 MAX DELIVERED POSTED`: milliseconds from the post to the arrival, the messages that arrived at all
// followers together, and those that were posted. The first line is `ready`.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BUCKETS = 1 << 20, BUCKET_MICROSECONDS = 10, MARK_LENGTH = 20, TAIL = 64 };
static const char mark[] = "\"message\":\"t=";

struct follower {
    int socket, is_open;
    size_t kept;
    char tail[TAIL];
};

static uint32_t buckets[BUCKETS];
static uint64_t delivered, worst;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int dial(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void send_all(int fd, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t sent = write(fd, bytes, count);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) fail("write");
        bytes += sent;
        count -= (size_t)sent;
    }
}

// Counts the messages in what a follower has read; what may be the beginning of one is kept for the next time.
static void scan(struct follower *follower, char *bytes, size_t count) {
    uint64_t now = now_ns();
    char *at = bytes, *end = bytes + count;
    for (char *found; (found = memmem(at, (size_t)(end - at), mark, sizeof mark - 1)) != NULL;) {
        char *digits = found + sizeof mark - 1;
        if (end - digits < MARK_LENGTH) {
            at = found;
            break;
        }
        uint64_t posted = strtoull(digits, NULL, 10);
        uint64_t late = now > posted ? (now - posted) / 1000 : 0;
        size_t bucket = late / BUCKET_MICROSECONDS;
        buckets[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
        if (late > worst) worst = late;
        delivered++;
        at = digits + MARK_LENGTH;
    }
    size_t left = (size_t)(end - at);
    if (left >= TAIL) left = TAIL - 1;
    memcpy(follower->tail, end - left, left);
    follower->kept = left;
}

// Returns whether the follower has just been let in.
static int receive(struct follower *follower) {
    static char buffer[TAIL + (1 << 18)];
    memcpy(buffer, follower->tail, follower->kept);
    ssize_t count = read(follower->socket, buffer + follower->kept, sizeof buffer - TAIL);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    if (count <= 0) {
        fputs("crowbar-bench-follow: a stream was closed\n", stderr);
        exit(1);
    }
    size_t all = follower->kept + (size_t)count;
    int is_new = 0;
    if (!follower->is_open) {
        // The body begins with a comment or `hello`.
        if (memmem(buffer, all, ": following", 11) || memmem(buffer, all, "event: hello", 12)) {
            follower->is_open = is_new = 1;
        } else if (memmem(buffer, all, "\r\n\r\n{", 5)) {
            fwrite(buffer, 1, all, stderr);
            exit(1);
        }
    }
    scan(follower, buffer, all);
    return is_new;
}

static double percentile(double part) {
    uint64_t wanted = (uint64_t)((double)delivered * part), seen = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        seen += buckets[i];
        if (seen > wanted) return (double)(i + 1) * BUCKET_MICROSECONDS / 1000;
    }
    return (double)worst / 1000;
}

static void report(long posted) {
    printf("%.2f %.2f %.2f %llu %ld\n", percentile(0.5), percentile(0.99), (double)worst / 1000,
           (unsigned long long)delivered, posted);
}

static void watch(int poller, int fd, void *what) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

static int start_timer(long rate) {
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    long step = 1000000000L / rate;
    struct itimerspec spec = {.it_interval = {step / 1000000000L, step % 1000000000L}};
    spec.it_value = spec.it_interval;
    if (timer < 0 || timerfd_settime(timer, 0, &spec, NULL) != 0) fail("timerfd");
    return timer;
}

static uint64_t ticks(int timer) {
    uint64_t count = 0;
    return read(timer, &count, sizeof count) == sizeof count ? count : 0;
}

static int posts;
static char answers[1 << 16];

static void post(int socket, const char *token, const char *channel) {
    char body[256], request[1024];
    int length = snprintf(
        body, sizeof body, "{\"type\":\"SEND_MESSAGE\",\"channelId\":\"%s\",\"message\":\"t=%020llu the quick brown fox\"}",
        channel, (unsigned long long)now_ns());
    int count = snprintf(
        request, sizeof request,
        "POST /api/commands HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"
        "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
        token, length, body);
    send_all(socket, request, (size_t)count);
    posts++;
}

// Runs the followers for so long; every tick of the timer, if there is one, posts to the next channel.
static void run(
    int poller, struct follower *followers, long count, long rate, long seconds, int poster, char **channels,
    int channel_count, const char *token) {
    struct epoll_event events[256];
    for (long open = 0; open < count;) {
        int ready = epoll_wait(poller, events, 256, 30000);
        if (ready == 0) {
            fprintf(stderr, "crowbar-bench-follow: only %ld of %ld streams are open\n", open, count);
            exit(1);
        }
        for (int i = 0; i < ready; i++) open += receive(events[i].data.ptr);
    }
    printf("ready\n");
    fflush(stdout);
    int timer = poster >= 0 ? start_timer(rate) : -1;
    static int timer_tag, poster_tag;
    if (timer >= 0) {
        watch(poller, timer, &timer_tag);
        watch(poller, poster, &poster_tag);
    }
    uint64_t end = now_ns() + (uint64_t)seconds * 1000000000u, drained = end + 2000000000u;
    (void)followers;
    for (uint64_t now; (now = now_ns()) < drained;) {
        int ready = epoll_wait(poller, events, 256, 100);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr == &timer_tag) {
                uint64_t due = ticks(timer);
                // The poster's socket is not blocking, and its requests are small.
                for (; due > 0 && now < end; due--) post(poster, token, channels[posts % channel_count]);
            } else if (events[i].data.ptr == &poster_tag) {
                ssize_t length = read(poster, answers, sizeof answers - 1);
                if (length <= 0) fail("the connection that posts");
                answers[length] = 0;
                if (strstr(answers, "\"error\"")) {
                    fputs(answers, stderr);
                    exit(1);
                }
            } else {
                receive(events[i].data.ptr);
            }
        }
    }
}

static int streams(int port, long rate, long seconds, const char *token, char **channels, int channel_count) {
    int poller = epoll_create1(EPOLL_CLOEXEC);
    struct follower *followers = calloc(1 << 16, sizeof *followers);
    long count = 0;
    char key[256], address[64], path[256], request[1024];
    while (count < 1 << 16 && scanf("%255s %63s %255s", key, address, path) == 3) {
        struct follower *follower = &followers[count++];
        follower->socket = dial(port);
        int length = snprintf(
            request, sizeof request,
            "GET %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nX-Forwarded-For: %s\r\n\r\n", path, key,
            address);
        send_all(follower->socket, request, (size_t)length);
        watch(poller, follower->socket, follower);
    }
    run(poller, followers, count, rate, seconds, dial(port), channels, channel_count, token);
    report(posts);
    return 0;
}

// The limit: one write to each socket and nothing else.
static long serve(int listener, long count, long rate, long seconds, long bytes) {
    int *sockets = calloc((size_t)count, sizeof *sockets);
    char *frame = malloc((size_t)bytes + 64);
    memset(frame, 'x', (size_t)bytes);
    for (long i = 0; i < count; i++) {
        sockets[i] = accept(listener, NULL, NULL);
        if (sockets[i] < 0) fail("accept");
        send_all(sockets[i], ": following\n\n", 13);
    }
    long sent = 0;
    int timer = start_timer(rate);
    for (uint64_t due = 0, end = now_ns() + (uint64_t)seconds * 1000000000u; now_ns() < end;) {
        if (due == 0) due = ticks(timer);
        due--;
        int length = snprintf(frame, 64, "%s%020llu", mark, (unsigned long long)now_ns());
        frame[length] = 'x';
        for (long i = 0; i < count; i++) send_all(sockets[i], frame, (size_t)bytes);
        sent++;
    }
    sleep(3);
    return sent;
}

static int fanout(long count, long rate, long seconds, long bytes) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), report_pipe[2];
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 4096) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0 || pipe(report_pipe) != 0)
        fail("listen");
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
        signal(SIGPIPE, SIG_DFL);
        long sent = serve(listener, count, rate, seconds, bytes);
        if (write(report_pipe[1], &sent, sizeof sent) != sizeof sent) fail("write");
        _exit(0);
    }
    int poller = epoll_create1(EPOLL_CLOEXEC);
    struct follower *followers = calloc((size_t)count, sizeof *followers);
    for (long i = 0; i < count; i++) {
        followers[i].socket = dial(ntohs(address.sin_port));
        watch(poller, followers[i].socket, &followers[i]);
    }
    run(poller, followers, count, rate, seconds, -1, NULL, 0, NULL);
    long sent = 0;
    if (read(report_pipe[0], &sent, sizeof sent) != sizeof sent) fail("read");
    waitpid(child, NULL, 0);
    report(sent);
    return 0;
}

int main(int count, char **arguments) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (count >= 7 && strcmp(arguments[1], "streams") == 0)
        return streams(atoi(arguments[2]), atol(arguments[3]), atol(arguments[4]), arguments[5], arguments + 6, count - 6);
    if (count == 6 && strcmp(arguments[1], "fanout") == 0)
        return fanout(atol(arguments[2]), atol(arguments[3]), atol(arguments[4]), atol(arguments[5]));
    fputs(
        "usage: crowbar-bench-follow streams PORT RATE SECONDS TOKEN CHANNEL... < FOLLOWERS\n"
        "       crowbar-bench-follow fanout COUNT RATE SECONDS BYTES\n", stderr);
    return 64;
}
