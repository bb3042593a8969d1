// The ends of the pipe that benchmarks need, in C, so that what is measured is what stands between them.
//
//     crowbar-bench-pipe sink            a plugin: pipelined, window 65,536, acknowledges every 1,024 events; when it has
//                                        caught up it writes the events and seconds that took to `caught-up` in $HOME
//     crowbar-bench-pipe count           reads lines to the end of the input and prints how many
//     crowbar-bench-pipe source DB       writes the event lines of a log, straight from SQLite, without a host
//     crowbar-bench-pipe append DB N     inserts N rows of an event's size, 64 a synced transaction; prints the seconds
//     crowbar-bench-pipe index VIEWS DB  puts the texts of all messages of views.db into a full-text index like the
//                                        server's, 1,000 a transaction; prints how many and the seconds
#define _GNU_SOURCE
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 1 << 20, ACK_EVERY = 1024 };

static char buffer[BUFFER + 1];

static void say(const char *line) {
    size_t length = strlen(line);
    while (length > 0) {
        ssize_t count = write(STDOUT_FILENO, line, length);
        if (count <= 0) exit(1);
        line += count;
        length -= (size_t)count;
    }
}

// Calls take for each line, without its LF; returns at the end of the input.
static void each_line(void (*take)(char *line, size_t length)) {
    size_t held = 0;
    for (;;) {
        ssize_t count = read(STDIN_FILENO, buffer + held, BUFFER - held);
        if (count <= 0) return;
        size_t end = held + (size_t)count, start = 0;
        for (char *found; (found = memchr(buffer + start, '\n', end - start)) != NULL;) {
            size_t length = (size_t)(found - (buffer + start));
            buffer[start + length] = 0;
            take(buffer + start, length);
            start += length + 1;
        }
        held = end - start;
        memmove(buffer, buffer + start, held);
    }
}

static long pending = 0, last_delivery = 0, received = 0;
static double first_event = 0;

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void note_caught_up(void) {
    const char *home = getenv("HOME");
    char path[4096];
    snprintf(path, sizeof path, "%s/caught-up", home != NULL ? home : ".");
    FILE *file = fopen(path, "w");
    if (file == NULL) exit(1);
    fprintf(file, "%ld %f\n", received, seconds() - first_event);
    fclose(file);
}

static void acknowledge(void) {
    char line[64];
    snprintf(line, sizeof line, "{\"type\":\"ack\",\"upTo\":%ld}\n", last_delivery);
    say(line);
    pending = 0;
}

static void sink(char *line, size_t length) {
    (void)length;
    static const char event[] = "{\"type\":\"event\",\"queue\":\"main\",\"delivery\":";
    if (strncmp(line, event, sizeof event - 1) == 0) {
        if (received++ == 0) first_event = seconds();
        last_delivery = strtol(line + sizeof event - 1, NULL, 10);
        if (++pending >= ACK_EVERY) acknowledge();
    } else if (strstr(line, "\"type\":\"hello\"") != NULL) {
        say("{\"type\":\"ready\",\"protocol\":1,\"name\":\"sink\",\"version\":\"1\",\"pipelined\":true,"
            "\"queues\":[{\"name\":\"main\",\"window\":65536,\"start\":\"beginning\"}]}\n");
    } else if (strstr(line, "\"type\":\"caughtUp\"") != NULL) {
        acknowledge();
        note_caught_up();
    } else if (strstr(line, "\"type\":\"ping\"") != NULL) {
        char answer[64];
        snprintf(answer, sizeof answer, "{\"type\":\"pong\",\"n\":%s\n", strstr(line, "\"n\":") + 4);
        say(answer);
        if (pending > 0) acknowledge();
    } else if (strstr(line, "\"type\":\"drain\"") != NULL) {
        acknowledge();
        say("{\"type\":\"drained\"}\n");
        exit(0);
    }
}

static long counted = 0;

static void count_line(char *line, size_t length) {
    (void)line;
    (void)length;
    counted++;
}

static void flush_to(size_t *filled, char *out) {
    for (size_t done = 0; done < *filled;) {
        ssize_t count = write(STDOUT_FILENO, out + done, *filled - done);
        if (count <= 0) exit(1);
        done += (size_t)count;
    }
    *filled = 0;
}

static int source(const char *path) {
    sqlite3 *db;
    sqlite3_stmt *rows;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) return 1;
    if (sqlite3_prepare_v2(db, "SELECT position, json FROM events ORDER BY position", -1, &rows, NULL) != SQLITE_OK) {
        fprintf(stderr, "%s\n", sqlite3_errmsg(db));
        return 1;
    }
    static char out[1 << 17];
    size_t filled = 0;
    long delivery = 0;
    while (sqlite3_step(rows) == SQLITE_ROW) {
        int length = sqlite3_column_bytes(rows, 1);
        if (filled + (size_t)length + 256 > (1 << 16)) flush_to(&filled, out);
        filled += (size_t)sprintf(
            out + filled,
            "{\"type\":\"event\",\"queue\":\"main\",\"delivery\":%ld,\"position\":%lld,\"attempt\":1,\"mode\":\"live\","
            "\"event\":",
            ++delivery, sqlite3_column_int64(rows, 0));
        memcpy(out + filled, sqlite3_column_blob(rows, 1), (size_t)length);
        filled += (size_t)length;
        memcpy(out + filled, "}\n", 2);
        filled += 2;
    }
    flush_to(&filled, out);
    sqlite3_finalize(rows);
    sqlite3_close(db);
    return 0;
}

static int append(const char *path, long rows) {
    static const char json[] =
        "{\"eventId\":\"01a209c7-2792-776c-ad95-8693e9fba2df\",\"timestamp\":1795460376467,\"type\":\"MESSAGE_SENT\","
        "\"userId\":\"ann\",\"userName\":\"ann\",\"channelId\":\"general\",\"messageId\":"
        "\"01a209c7-2792-776c-ad95-8693e9fba2df\",\"message\":\"the quick brown fox jumps over the lazy dog\"}";
    sqlite3 *db;
    sqlite3_stmt *insert;
    if (sqlite3_open(path, &db) != SQLITE_OK) return 1;
    sqlite3_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                     "CREATE TABLE e (position INTEGER PRIMARY KEY, id TEXT UNIQUE, json BLOB)", NULL, NULL, NULL);
    if (sqlite3_prepare_v2(db, "INSERT INTO e (id, json) VALUES (?, ?)", -1, &insert, NULL) != SQLITE_OK) return 1;
    double start = seconds();
    for (long row = 0; row < rows; row++) {
        char id[40];
        snprintf(id, sizeof id, "01a209c7-2792-776c-ad95-%012lx", row);
        if (row % 64 == 0) sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        sqlite3_bind_text(insert, 1, id, -1, SQLITE_STATIC);
        sqlite3_bind_blob(insert, 2, json, sizeof json - 1, SQLITE_STATIC);
        if (sqlite3_step(insert) != SQLITE_DONE) return 1;
        sqlite3_reset(insert);
        if ((row % 64 == 63 || row == rows - 1) && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) return 1;
    }
    printf("%f\n", seconds() - start);
    return 0;
}

static int must(int code, sqlite3 *db) {
    if (code != SQLITE_OK && code != SQLITE_ROW && code != SQLITE_DONE) {
        fprintf(stderr, "%s\n", sqlite3_errmsg(db));
        exit(1);
    }
    return code;
}

// The settings are those of Sources/CrowbarViews/ViewsDatabase.swift and SearchRows.swift.
static int index_texts(const char *views, const char *path) {
    sqlite3 *source, *db;
    sqlite3_stmt *find, *rows, *insert;
    char sql[256];
    must(sqlite3_open_v2(views, &source, SQLITE_OPEN_READONLY, NULL), source);
    must(sqlite3_prepare_v2(
        source, "SELECT generation FROM views WHERE name = 'messages' AND isLive = 1", -1, &find, NULL), source);
    if (must(sqlite3_step(find), source) != SQLITE_ROW) return 1;
    snprintf(sql, sizeof sql, "SELECT position, text FROM messages_%lld WHERE isDeleted = 0 ORDER BY position",
             sqlite3_column_int64(find, 0));
    sqlite3_finalize(find);
    must(sqlite3_prepare_v2(source, sql, -1, &rows, NULL), source);
    must(sqlite3_open(path, &db), db);
    must(sqlite3_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-16384;"
                          "CREATE TABLE messages (position INTEGER PRIMARY KEY, text TEXT NOT NULL);"
                          "CREATE VIRTUAL TABLE search USING fts5 (text, content = 'messages',"
                          " content_rowid = 'position', tokenize = 'trigram')", NULL, NULL, NULL), db);
    must(sqlite3_prepare_v2(db, "INSERT INTO search (rowid, text) VALUES (?, ?)", -1, &insert, NULL), db);
    double start = seconds();
    long count = 0;
    while (must(sqlite3_step(rows), source) == SQLITE_ROW) {
        if (count % 1000 == 0) must(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), db);
        sqlite3_bind_int64(insert, 1, sqlite3_column_int64(rows, 0));
        sqlite3_bind_text(
            insert, 2, (const char *)sqlite3_column_text(rows, 1), sqlite3_column_bytes(rows, 1), SQLITE_STATIC);
        must(sqlite3_step(insert), db);
        sqlite3_reset(insert);
        if (++count % 1000 == 0) must(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), db);
    }
    if (count % 1000 != 0) must(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), db);
    printf("%ld %f\n", count, seconds() - start);
    return 0;
}

int main(int count, char **arguments) {
    const char *mode = count > 1 ? arguments[1] : "";
    if (strcmp(mode, "sink") == 0) {
        each_line(sink);
        return 0;
    }
    if (strcmp(mode, "count") == 0) {
        each_line(count_line);
        printf("%ld\n", counted);
        return 0;
    }
    if (strcmp(mode, "source") == 0 && count > 2) return source(arguments[2]);
    if (strcmp(mode, "append") == 0 && count > 3) return append(arguments[2], strtol(arguments[3], NULL, 10));
    if (strcmp(mode, "index") == 0 && count > 3) return index_texts(arguments[2], arguments[3]);
    fprintf(stderr, "usage: crowbar-bench-pipe sink | count | source DB | append DB N | index VIEWS DB\n");
    return 64;
}
