// Two people in #general of two IRC servers, for script/bench: what the one says at a steady pace is timed until it has
// come to the socket of the other. In C and of one thread, so that little of the machine's caches goes to who measures.
//
//     crowbar-bench-talk PORT PORT        on 127.0.0.1
//
// It writes `ready` when both are in, then for each `RATE COUNT` that it reads (lines a second, lines) how many ns each
// line took, in one line, a lost one left out. It ends with its input.
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { room = 1 << 16, most = 100000 };
static const long long second = 1000000000, patience = 30000000000;
static const char marker[] = " PRIVMSG #general :", words[] = "the quick brown fox ";

struct person {
    int socket, is_in;
    size_t used;
    char buffer[room];
};

static struct person people[2];
static long long sent[most], waits[most];
static int heard;

static void fail(const char *what) {
    fprintf(stderr, "crowbar-bench-talk: %s: %s\n", what, strerror(errno));
    exit(1);
}

static long long now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * second + time.tv_nsec;
}

static void say(int socket, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t done = write(socket, bytes, count);
        if (done <= 0) fail("write");
        bytes += done;
        count -= (size_t)done;
    }
}

static int connected(const char *port, const char *nick) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1, made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made < 0 || connect(made, (struct sockaddr *)&address, sizeof address) != 0) fail("connect");
    setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // By the kernel's clock, and not by when this program has woken up.
    setsockopt(made, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    char hello[100];
    say(made, hello, (size_t)snprintf(hello, sizeof hello, "NICK %s\r\nUSER %s 0 * :%s\r\n", nick, nick, nick));
    return made;
}

static void take(struct person *person, char *line, size_t length, long long at) {
    line[length] = 0;
    if (strncmp(line, "PING ", 5) == 0) {
        line[1] = 'O';
        line[length] = '\n';
        say(person->socket, line, length + 1);
        return;
    }
    char *verb = strchr(line, ' ');
    if (!verb) return;
    if (strncmp(verb, " 001 ", 5) == 0) say(person->socket, "JOIN #general\r\n", 15);
    if (strncmp(verb, " 366 ", 5) == 0) person->is_in = 1;
    if (person != &people[1] || strncmp(verb, marker, sizeof marker - 1) != 0) return;
    char *text = strstr(verb, words);
    long number = text ? atol(text + sizeof words - 1) : -1;
    if (number < 0 || number >= most || sent[number] == 0 || heard == most) return;
    waits[heard++] = at - sent[number];
    // Said twice it is not heard twice.
    sent[number] = 0;
}

/// Takes what has come to one of them.
static void hear(struct person *person) {
    int on = 1;
    char control[CMSG_SPACE(sizeof(struct timespec))];
    struct iovec piece = {person->buffer + person->used, room - person->used - 1};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    // A server that waits for this before it sends the next line must not be measured by it.
    setsockopt(person->socket, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
    ssize_t got = recvmsg(person->socket, &message, 0);
    if (got <= 0) fail("a server is gone");
    long long at = now(CLOCK_REALTIME);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_type == SO_TIMESTAMPNS) {
        struct timespec stamp;
        memcpy(&stamp, CMSG_DATA(header), sizeof stamp);
        at = stamp.tv_sec * second + stamp.tv_nsec;
    }
    person->used += (size_t)got;
    size_t begin = 0;
    char *end;
    while ((end = memchr(person->buffer + begin, '\n', person->used - begin))) {
        size_t length = (size_t)(end - (person->buffer + begin));
        take(person, person->buffer + begin, length, at);
        begin += length + 1;
    }
    memmove(person->buffer, person->buffer + begin, person->used - begin);
    person->used -= begin;
}

/// Hears both until there is something to do.
static void hear_until(long long time) {
    struct pollfd ready[2] = {{people[0].socket, POLLIN, 0}, {people[1].socket, POLLIN, 0}};
    long long left = time - now(CLOCK_MONOTONIC);
    if (left < 0) left = 0;
    struct timespec limit = {left / second, left % second};
    if (ppoll(ready, 2, &limit, NULL) < 0 && errno != EINTR) fail("poll");
    for (int i = 0; i < 2; i++)
        if (ready[i].revents) hear(&people[i]);
}

static void talk(long rate, long count) {
    char line[100];
    heard = 0;
    long long begin = now(CLOCK_MONOTONIC);
    for (long i = 0; i < count; i++) {
        long long due = begin + i * second / rate;
        while (now(CLOCK_MONOTONIC) < due) hear_until(due);
        int length = snprintf(line, sizeof line, "PRIVMSG #general :%s%ld\r\n", words, i);
        sent[i] = now(CLOCK_REALTIME);
        say(people[0].socket, line, (size_t)length);
    }
    long long end = now(CLOCK_MONOTONIC) + patience;
    while (heard < count && now(CLOCK_MONOTONIC) < end) hear_until(end);
    memset(sent, 0, sizeof sent);
    for (int i = 0; i < heard; i++) printf("%lld%c", waits[i], i + 1 == heard ? '\n' : ' ');
    if (heard == 0) printf("\n");
    fflush(stdout);
}

int main(int count, char **arguments) {
    if (count != 3) {
        fprintf(stderr, "usage: crowbar-bench-talk PORT PORT\n");
        return 64;
    }
    // Nobody else's nicks: who was there before may be gone only a moment later.
    for (int i = 0; i < 2; i++) people[i].socket = connected(arguments[1 + i], i == 0 ? "talker" : "hearer");
    long long end = now(CLOCK_MONOTONIC) + patience;
    while (!people[0].is_in || !people[1].is_in) {
        if (now(CLOCK_MONOTONIC) > end) return fprintf(stderr, "crowbar-bench-talk: cannot join #general\n"), 1;
        hear_until(end);
    }
    printf("ready\n");
    fflush(stdout);
    long rate, lines;
    while (scanf("%ld %ld", &rate, &lines) == 2) {
        if (rate < 1 || lines < 1 || lines > most) return 64;
        talk(rate, lines);
    }
    return 0;
}
