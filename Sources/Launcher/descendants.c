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
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct process {
    pid_t pid, parent;
    int threads;
    // Whether it descends from this process; whether it was looked at in vain, which is repeated with the next list.
    bool mine, is_lost;
    // A pidfd, by which a signal reaches this process and no other that gets its number later; -1: none.
    int descriptor;
};

static DIR *folder;
// The direct children of this process, also those that /proc does not list for it (hidepid); -1 without such a file.
static int children = -1;
// Processes that are kept while they are counted by their children.
enum { MAX_WAITING = 4096 };

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

// Whether a process that was found before is still there, so that its number is no other's.
static bool is_there(const struct process *process) {
    if (process->descriptor < 0) return is_child(process->pid);
    return syscall(SYS_pidfd_send_signal, process->descriptor, 0, NULL, 0) == 0 || errno != ESRCH;
}

// Opens a process and looks again whether its parent is the one that was listed. The list is read one by one, so that a
// number in it may be another process's by now. False where that cannot be told.
static bool open_descendant(struct process *process, const struct process *parent) {
    // A child keeps its number until this process reaps it.
    if (parent == NULL && !is_child(process->pid)) return false;
    process->descriptor = (int)syscall(SYS_pidfd_open, process->pid, 0);
    // Without a descriptor only a child is known for sure.
    if (parent == NULL) return true;
    if (process->descriptor < 0) return false;
    struct process again = {.pid = process->pid};
    bool is_read = read_process(&again);
    if (is_read && again.parent == getpid() && is_child(process->pid)) return true;
    if (is_read && again.parent == parent->pid && is_there(process) && is_there(parent)) return true;
    close(process->descriptor);
    process->descriptor = -1;
    return false;
}

static void send_to(const struct process *process, int signal_number) {
    if (process->descriptor < 0) kill(process->pid, signal_number);
    else syscall(SYS_pidfd_send_signal, process->descriptor, signal_number, NULL, 0);
}

int signal_descendants(int signal_number) {
    bool complete = true;
    size_t count = list(signal_number, &complete);
    int found = 0;
    for (size_t i = 0; i < count; i++) processes[i].descriptor = -1;
    for (bool grew = true; grew;) {
        grew = false;
        for (size_t i = 0; i < count; i++) {
            struct process *process = &processes[i];
            if (process->mine || process->is_lost) continue;
            struct process *parent = process_of(count, process->parent);
            if (process->parent == getpid()) parent = NULL;
            else if (parent == NULL || !parent->mine) continue;
            // To be counted it need not be opened. Parents have the signal first, so that they fork no more.
            if (signal_number == 0 || open_descendant(process, parent)) process->mine = grew = true;
            else process->is_lost = true;
            if (process->mine && signal_number != 0) send_to(process, signal_number);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (processes[i].mine) found += processes[i].threads;
        if (processes[i].descriptor >= 0) close(processes[i].descriptor);
    }
    return complete ? found : -1;
}

// Adds the children that a thread has, in a file of /proc, to those that wait to be counted.
static bool read_children(int file, pid_t *waiting, int *count) {
    char text[4096];
    size_t kept = 0;
    for (ssize_t got; (got = read(file, text + kept, sizeof text - 1 - kept)) > 0;) {
        text[kept + (size_t)got] = 0;
        char *last = strrchr(text, ' ');
        char *next = text;
        while (last != NULL && next < last) {
            if (*count == MAX_WAITING) return false;
            waiting[(*count)++] = atoi(next);
            next = strchr(next, ' ') + 1;
        }
        // The last number may be cut off.
        kept = strlen(next);
        memmove(text, next, kept + 1);
    }
    return true;
}

bool has_fewer(long long limit) {
    static pid_t waiting[MAX_WAITING];
    int count = 0;
    long long found = 0;
    if (children < 0 || lseek(children, 0, SEEK_SET) != 0 || !read_children(children, waiting, &count)) return false;
    while (count > 0) {
        char path[64];
        snprintf(path, sizeof path, "%d/task", (int)waiting[--count]);
        int tasks = openat(dirfd(folder), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (tasks < 0 && (errno == ENOENT || errno == ESRCH)) continue;
        DIR *threads = tasks < 0 ? NULL : fdopendir(tasks);
        if (threads == NULL) {
            if (tasks >= 0) close(tasks);
            return false;
        }
        bool done = true;
        for (struct dirent *entry; done && (entry = readdir(threads)) != NULL;) {
            if (atoi(entry->d_name) <= 0) continue;
            done = ++found < limit;
            snprintf(path, sizeof path, "%.16s/children", entry->d_name);
            int file = openat(dirfd(threads), path, O_RDONLY | O_CLOEXEC);
            if (file < 0) continue;
            done = done && read_children(file, waiting, &count);
            close(file);
        }
        closedir(threads);
        if (!done) return false;
    }
    return true;
}
