// All that a plugin started: found through /proc, ended in any case. What is needed is opened before the plugin runs.

#define _GNU_SOURCE
#include "rules.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct process {
    pid_t pid, parent;
    int threads;
    bool mine;
};

static DIR *folder;
// The direct children of this process, also those that /proc does not list for it (hidepid); -1 without such a file.
static int children = -1;
// Grows as needed. /proc lists processes by number, so they are in order.
static struct process *processes;
static size_t room;

// Needs neither a descriptor nor memory.
static bool is_child(pid_t pid) {
    siginfo_t info;
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

bool open_processes(void) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    children = open(path, O_RDONLY | O_CLOEXEC);
    return (folder = opendir("/proc")) != NULL;
}

void signal_children(int signal_number) {
    static char text[64 << 10];
    if (children < 0 || lseek(children, 0, SEEK_SET) != 0) return;
    ssize_t count = read(children, text, sizeof text - 1);
    if (count <= 0) return;
    text[count] = 0;
    // The last number may be cut off; it comes with the next pass.
    char *last = strrchr(text, ' ');
    if (last == NULL) return;
    *last = 0;
    for (char *next = text; *next != 0;) {
        char *behind;
        long pid = strtol(next, &behind, 10);
        if (behind == next) break;
        if (pid > 0 && is_child((pid_t)pid)) kill((pid_t)pid, signal_number);
        next = behind;
    }
}

// Reads the parent of a process and the number of its threads. False where the process cannot be read; errno is ENOENT
// or ESRCH where it is gone. The command's name may hold spaces and parentheses, so the fields are read from behind the
// last one (proc(5)).
static bool read_process(struct process *process) {
    char path[64], text[512];
    snprintf(path, sizeof path, "%d/stat", (int)process->pid);
    int file = openat(dirfd(folder), path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    ssize_t count = read(file, text, sizeof text - 1);
    int error = count == 0 ? ESRCH : errno;
    close(file);
    errno = error;
    if (count <= 0) return false;
    text[count] = 0;
    const char *behind = strrchr(text, ')');
    const char *fields = " %*c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %d";
    errno = EINVAL;
    return behind != NULL && sscanf(behind + 1, fields, &process->parent, &process->threads) == 2;
}

static struct process *process_of(size_t count, pid_t pid) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (processes[middle].pid < pid) low = middle + 1;
        else high = middle;
    }
    return low < count && processes[low].pid == pid ? &processes[low] : NULL;
}

// Lists what runs. What cannot be read has the signal at once where it is a child; then `complete` becomes false.
static size_t list(int signal_number, bool *complete) {
    size_t count = 0;
    rewinddir(folder);
    for (struct dirent *entry; (errno = 0, entry = readdir(folder)) != NULL;) {
        struct process process = {.pid = atoi(entry->d_name)};
        if (process.pid <= 0) continue;
        if (count == room) {
            struct process *more = realloc(processes, (room + 4096) * sizeof *processes);
            if (more != NULL) {
                processes = more;
                room += 4096;
            }
        }
        if (count < room && read_process(&process)) {
            processes[count++] = process;
            continue;
        }
        if (count < room && (errno == ENOENT || errno == ESRCH)) continue;
        *complete = false;
        if (is_child(process.pid)) kill(process.pid, signal_number);
    }
    if (errno != 0) *complete = false;
    return count;
}

int signal_descendants(int signal_number) {
    bool complete = true;
    size_t count = list(signal_number, &complete);
    int found = 0;
    for (bool grew = true; grew;) {
        grew = false;
        for (size_t i = 0; i < count; i++) {
            struct process *process = &processes[i];
            if (process->mine) continue;
            struct process *parent = process_of(count, process->parent);
            if (process->parent == getpid() || (parent != NULL && parent->mine)) process->mine = grew = true;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (!processes[i].mine) continue;
        found += processes[i].threads;
        kill(processes[i].pid, signal_number);
    }
    return complete ? found : -1;
}
