// Posts commands at a fixed rate, whether answers come soon or not, and says how long they took.
//
//     crowbar-bench-rate PORT TOKEN RATE SECONDS BODY
//
// Each command has a time at which it is due; its latency counts from then, so that a server that stalls is not spared
// the commands that wait meanwhile. Prints the count, the refusals, and the 50th and 99th percentile in milliseconds.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 64, ANSWER = 8192 };

static struct pollfd sockets[CONNECTIONS];
static struct {
    double due;
    size_t length;
    char answer[ANSWER + 1];
} calls[CONNECTIONS];
static int idle[CONNECTIONS], idle_count;
static double *latencies;
static long done, refused;

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void open_all(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < CONNECTIONS; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) fail("connect");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        sockets[i] = (struct pollfd){.fd = fd, .events = POLLIN};
        idle[idle_count++] = i;
    }
}

// Whether the answer is whole: a head, and as many bytes behind it as that says.
static int is_whole(const char *answer, size_t length) {
    const char *head = strstr(answer, "\r\n\r\n");
    const char *field = strcasestr(answer, "\r\ncontent-length:");
    if (head == NULL) return 0;
    if (field == NULL || field > head) return 1;
    return length >= (size_t)(head + 4 - answer) + strtoul(field + 17, NULL, 10);
}

static void take(int i) {
    ssize_t count = read(sockets[i].fd, calls[i].answer + calls[i].length, ANSWER - calls[i].length);
    if (count <= 0) fail("read");
    calls[i].length += (size_t)count;
    calls[i].answer[calls[i].length] = 0;
    if (calls[i].length == ANSWER) exit(1);
    if (!is_whole(calls[i].answer, calls[i].length)) return;
    if (strncmp(calls[i].answer, "HTTP/1.1 200", 12) != 0) {
        if (refused++ == 0) fprintf(stderr, "%s\n", calls[i].answer);
    }
    latencies[done++] = (seconds() - calls[i].due) * 1e3;
    idle[idle_count++] = i;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int count, char **arguments) {
    if (count != 6) {
        fprintf(stderr, "usage: crowbar-bench-rate PORT TOKEN RATE SECONDS BODY\n");
        return 64;
    }
    double rate = atof(arguments[3]);
    long total = (long)(rate * atof(arguments[4]));
    char *request;
    int length = asprintf(
        &request, "POST /api/commands HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nAuthorization: Bearer %s\r\n"
        "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
        arguments[1], arguments[2], strlen(arguments[5]), arguments[5]);
    latencies = calloc((size_t)total + 1, sizeof *latencies);
    if (length < 0 || latencies == NULL) return 1;
    open_all(atoi(arguments[1]));
    double begin = seconds();
    for (long sent = 0; done < total;) {
        double now = seconds();
        for (; sent < total && idle_count > 0 && begin + (double)sent / rate <= now; sent++) {
            int i = idle[--idle_count];
            calls[i].due = begin + (double)sent / rate;
            calls[i].length = 0;
            if (write(sockets[i].fd, request, (size_t)length) != length) fail("write");
        }
        double rest = sent < total && idle_count > 0 ? begin + (double)sent / rate - seconds() : 1;
        struct timespec wait = {(time_t)rest, (long)((rest - (double)(time_t)rest) * 1e9)};
        if (rest < 0) wait = (struct timespec){0, 0};
        if (ppoll(sockets, CONNECTIONS, &wait, NULL) < 0 && errno != EINTR) fail("poll");
        for (int i = 0; i < CONNECTIONS; i++) {
            if (sockets[i].revents != 0) take(i);
        }
    }
    qsort(latencies, (size_t)total, sizeof *latencies, by_size);
    printf("%ld %ld %f %f\n", total, refused, latencies[total / 2], latencies[total * 99 / 100]);
    return 0;
}
