// The least that a durable bridge between two IRC servers can do, as a limit for script/bench: one thread that says in
// #general of each server what was said in that of the other, after it has synced the bytes to a file.
//
//     crowbar-bench-relay PORT PORT FILE        on 127.0.0.1; runs until it is killed
//
// What one read brings shares a sync. The file is written beforehand, so that a sync changes no metadata.
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { block = 4096, blocks = 2048, room = 1 << 16 };

struct side {
    int socket;
    size_t used;
    char buffer[room];
};

static void fail(const char *what) {
    fprintf(stderr, "crowbar-bench-relay: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void say(int socket, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t done = write(socket, bytes, count);
        if (done <= 0) fail("write");
        bytes += done;
        count -= (size_t)done;
    }
}

static int connected(const char *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1, made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made < 0 || connect(made, (struct sockaddr *)&address, sizeof address) != 0) fail("connect");
    setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const char hello[] = "NICK limit\r\nUSER limit 0 * :limit\r\n";
    say(made, hello, sizeof hello - 1);
    return made;
}

/// Puts what a line says to the other side behind `out`; answers what the server wants to know.
static size_t take(struct side *from, char *line, size_t length, char *out) {
    line[length] = 0;
    if (strncmp(line, "PING ", 5) == 0) {
        line[1] = 'O';
        line[length] = '\n';
        say(from->socket, line, length + 1);
        return 0;
    }
    char *verb = strchr(line, ' ');
    if (!verb) return 0;
    if (strncmp(verb, " 001 ", 5) == 0) say(from->socket, "JOIN #general\r\n", 15);
    if (strncmp(verb, " PRIVMSG ", 9) != 0) return 0;
    int author = (int)strcspn(line, "! ");
    char *text = strstr(verb + 9, " :");
    return text ? (size_t)sprintf(out, "PRIVMSG #general :<%.*s> %s\n", author - 1, line + 1, text + 2) : 0;
}

int main(int count, char **arguments) {
    static struct side sides[2];
    static char out[2 * room], zeros[block];
    if (count != 4) {
        fprintf(stderr, "usage: crowbar-bench-relay PORT PORT FILE\n");
        return 64;
    }
    int file = open(arguments[3], O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
    if (file < 0) fail(arguments[3]);
    for (int i = 0; i < blocks; i++)
        if (write(file, zeros, block) != block) fail("write");
    if (fsync(file) != 0) fail("fsync");
    for (int i = 0; i < 2; i++) sides[i].socket = connected(arguments[1 + i]);
    long next = 0;
    for (;;) {
        struct pollfd ready[2] = {{sides[0].socket, POLLIN, 0}, {sides[1].socket, POLLIN, 0}};
        if (poll(ready, 2, -1) < 0 && errno != EINTR) fail("poll");
        for (int i = 0; i < 2; i++) {
            if (!ready[i].revents) continue;
            struct side *from = &sides[i];
            ssize_t got = read(from->socket, from->buffer + from->used, room - from->used - 1);
            if (got <= 0) return 0;
            from->used += (size_t)got;
            size_t begin = 0, said = 0;
            char *end;
            while ((end = memchr(from->buffer + begin, '\n', from->used - begin))) {
                size_t length = (size_t)(end - (from->buffer + begin));
                said += take(from, from->buffer + begin, length, out + said);
                begin += length + 1;
            }
            memmove(from->buffer, from->buffer + begin, from->used - begin);
            from->used -= begin;
            if (said == 0) continue;
            // As many blocks as a database would write for it, at the least one.
            for (size_t written = 0; written < said; written += block, next++)
                if (pwrite(file, out, block, (next % blocks) * block) != block) fail("write");
            if (fdatasync(file) != 0) fail("fdatasync");
            say(sides[1 - i].socket, out, said);
        }
    }
}
