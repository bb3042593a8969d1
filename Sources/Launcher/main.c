// crowbar-launch: starts one plugin and stays beside it, so that nothing the plugin starts outlives it or the host.
//
//     crowbar-launch HOST_PID TOKEN [OPTION ...] -- PROGRAM [ARGUMENT ...]
//     crowbar-launch --probe
//
// It becomes a session leader and a child subreaper (prctl(2)): whatever the plugin forks, also a daemon in a session of
// its own, becomes a child of this process when its parent ends, and is killed. It watches the host by a pidfd, which,
// unlike PR_SET_PDEATHSIG, does not fire when merely the thread that spawned ends.
//
// Signals: SIGTERM is passed on to every descendant; SIGUSR1 kills them all with SIGKILL. When PROGRAM ends, the rest is
// killed, and this process ends the same way: with its exit status, or by its signal.
//
// A PROGRAM that cannot be run is reported on standard error as one line "crowbar-launch TOKEN: REASON", exit status 126.
// TOKEN is made by the host for this start, so that a plugin's own output is not mistaken for it. A plugin that is killed
// for the number of its processes is reported the same way, the reason beginning with "limit: ".
//
// Options (rules.h): --memory=BYTES --files=NUMBER --soft-files=NUMBER --processes=NUMBER --no-network --sandbox
// --read=PATH --write=PATH
// --require. --probe tells what of them this machine can enforce: "landlock VERSION" and "sockets 0" or "sockets 1".

#define _GNU_SOURCE
#include "rules.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    EXIT_CANNOT_RUN = 126,
    // Descendants looked at in one pass; the rest is found by the next pass, for passes go on until none is left.
    MAX_DESCENDANTS = 4096,
    // Milliseconds between passes while killed processes have not been reaped yet.
    PASS_INTERVAL_MS = 5,
    // Milliseconds between two counts of the plugin's processes, where they are limited.
    COUNT_INTERVAL_MS = 200,
};

static int fail(const char *token, const char *what, int error) {
    dprintf(STDERR_FILENO, "crowbar-launch %s: %s: %s\n", token, what, strerror(error));
    return EXIT_CANNOT_RUN;
}

// The parent of a process, or 0 where it is gone, and the number of its threads. The command's name may hold spaces and
// parentheses, so the fields are read from behind the last one (proc(5)).
static pid_t parent_of(pid_t pid, int *threads) {
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t count = read(file, text, sizeof text - 1);
    close(file);
    if (count <= 0) return 0;
    text[count] = 0;
    const char *behind = strrchr(text, ')');
    int parent = 0;
    const char *fields = " %*c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %d";
    if (behind == NULL || sscanf(behind + 1, fields, &parent, threads) != 2) return 0;
    return parent;
}

// Sends a signal to every descendant (0: none is sent); returns how many threads they have together.
static int signal_descendants(int signal_number) {
    static pid_t pids[MAX_DESCENDANTS * 4], parents[MAX_DESCENDANTS * 4];
    static int threads[MAX_DESCENDANTS * 4];
    static bool mine[MAX_DESCENDANTS * 4];
    int count = 0, found = 0;
    DIR *folder = opendir("/proc");
    if (folder == NULL) return 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        pid_t pid = atoi(entry->d_name);
        if (pid <= 0 || count == MAX_DESCENDANTS * 4) continue;
        pids[count] = pid;
        parents[count] = parent_of(pid, &threads[count]);
        mine[count] = false;
        count++;
    }
    closedir(folder);
    for (bool grew = true; grew;) {
        grew = false;
        for (int i = 0; i < count; i++) {
            if (mine[i]) continue;
            bool is_child = parents[i] == getpid();
            for (int j = 0; !is_child && j < count; j++) is_child = mine[j] && pids[j] == parents[i];
            if (is_child) mine[i] = grew = true;
        }
    }
    for (int i = 0; i < count; i++) {
        if (!mine[i]) continue;
        found += threads[i];
        kill(pids[i], signal_number);
    }
    return found;
}

// Reaps what has ended; notes how the plugin's own process did. Returns false when no child is left.
static bool reap(pid_t plugin, int *status, bool *ended) {
    for (;;) {
        int how;
        pid_t pid = waitpid(-1, &how, WNOHANG);
        if (pid == 0) return true;
        if (pid < 0) return errno == EINTR;
        if (pid == plugin) {
            *status = how;
            *ended = true;
        }
    }
}

// Kills and reaps until nothing is left. Killing a process hands its children to this one, so passes are repeated.
static void kill_all(pid_t plugin, int *status, bool *ended) {
    while (reap(plugin, status, ended)) {
        signal_descendants(SIGKILL);
        poll(NULL, 0, PASS_INTERVAL_MS);
    }
}

// Ends as the plugin did, so that the host sees its status or signal.
static int end_like(int status) {
    if (!WIFSIGNALED(status)) return WEXITSTATUS(status);
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    int signal_number = WTERMSIG(status);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal_number);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    return 128 + signal_number;
}

// The child: becomes the plugin, or reports the trouble through the pipe.
static void become_plugin(pid_t launcher, int report, const sigset_t *mask, const struct rules *rules, char **arguments) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != launcher) _exit(EXIT_CANNOT_RUN);
    setsid();
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, mask, NULL);
    struct trouble trouble = {0, ""};
    if (apply_rules(rules, arguments[0], &trouble)) {
        execv(arguments[0], arguments);
        note_trouble(&trouble, arguments[0], NULL);
        if (trouble.error == EACCES && rules->sandbox) {
            note_trouble(&trouble, "(what its first line names may be outside of [sandbox] read)", arguments[0]);
        }
    }
    ssize_t ignored = write(report, &trouble, sizeof trouble);
    (void)ignored;
    _exit(EXIT_CANNOT_RUN);
}

// Where to tell of a plugin that had to be killed for its processes, and how many it may have (0: no limit).
struct watched_limit {
    long long processes;
    int errors;
    const char *token;
};

static int watch(int signals, int host, pid_t plugin, struct watched_limit limit) {
    int status = 0;
    bool ended = false;
    struct pollfd watched[2] = {{.fd = signals, .events = POLLIN}, {.fd = host, .events = POLLIN}};
    while (!ended) {
        if (poll(watched, 2, limit.processes > 0 ? COUNT_INTERVAL_MS : -1) < 0 && errno != EINTR) break;
        if (watched[1].revents != 0) break;
        struct signalfd_siginfo info;
        while (read(signals, &info, sizeof info) == (ssize_t)sizeof info) {
            if (info.ssi_signo == SIGTERM) signal_descendants(SIGTERM);
            if (info.ssi_signo == SIGUSR1) signal_descendants(SIGKILL);
        }
        reap(plugin, &status, &ended);
        int running = limit.processes > 0 ? signal_descendants(0) : 0;
        if (!ended && running > limit.processes) {
            dprintf(limit.errors, "crowbar-launch %s: limit: %d processes and threads, %lld are allowed\n", limit.token,
                    running, limit.processes);
            break;
        }
    }
    kill_all(plugin, &status, &ended);
    return end_like(status);
}

static int probe(void) {
    printf("landlock %d\nsockets %d\n", landlock_version(), can_refuse_sockets() ? 1 : 0);
    return 0;
}

// Bytes that fit into the pipe of events: at 64 KiB host and plugin wake each other for every few hundred events.
enum { EVENTS_PIPE = 512 << 10 };

int main(int count, char **arguments) {
    if (count == 2 && strcmp(arguments[1], "--probe") == 0) return probe();
    static struct rules rules;
    int first = count < 4 ? -1 : read_rules(count, arguments, 3, &rules);
    if (first < 0) {
        fprintf(stderr, "usage: crowbar-launch HOST_PID TOKEN [OPTION ...] -- PROGRAM [ARGUMENT ...]\n");
        if (count >= 4) fail(arguments[2], "an option of the host is not in order", EINVAL);
        return 64;
    }
    pid_t host_pid = atoi(arguments[1]);
    const char *token = arguments[2];

    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    sigemptyset(&before);
    int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0) return fail(token, "signalfd", errno);

    // Where the system allows no more, the pipe stays as it is.
    fcntl(STDIN_FILENO, F_SETPIPE_SZ, EVENTS_PIPE);
    setsid();
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return fail(token, "cannot become a subreaper", errno);
    int host = (int)syscall(SYS_pidfd_open, host_pid, 0);
    if (host < 0) return fail(token, "cannot watch the host", errno);
    // The host may have ended before it was watched, and its number may be another's by now.
    if (getppid() != host_pid) return fail(token, "the host is gone", ESRCH);

    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) return fail(token, "pipe", errno);
    pid_t launcher = getpid();
    pid_t plugin = fork();
    if (plugin < 0) return fail(token, "cannot start a process", errno);
    if (plugin == 0) become_plugin(launcher, report[1], &before, &rules, arguments + first);

    close(report[1]);
    struct trouble trouble;
    ssize_t got;
    do got = read(report[0], &trouble, sizeof trouble);
    while (got < 0 && errno == EINTR);
    close(report[0]);
    if (got == (ssize_t)sizeof trouble) {
        waitpid(plugin, NULL, 0);
        return fail(token, trouble.what, trouble.error);
    }
    struct watched_limit limit = {.processes = rules.processes, .errors = -1, .token = token};
    // Kept where it may be needed; the host waits for this process to end in any case.
    if (rules.processes > 0) limit.errors = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    // The pipes are the plugin's alone from here on: the host sees their ends when the plugin closes them.
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nothing >= 0) {
        dup2(nothing, STDIN_FILENO);
        dup2(nothing, STDOUT_FILENO);
        dup2(nothing, STDERR_FILENO);
    }
    return watch(signals, host, plugin, limit);
}
