// crowbar-launch: starts one plugin and stays beside it, so that nothing the plugin starts outlives it or the host.
//
//     crowbar-launch HOST_PID [OPTION ...] -- PROGRAM [ARGUMENT ...]
//     crowbar-launch --probe
//
// It becomes a session leader and a child subreaper (prctl(2)): whatever the plugin forks, also a daemon in a session of
// its own, becomes a child of this process when its parent ends, and is killed. It watches the host by a pidfd, which,
// unlike PR_SET_PDEATHSIG, does not fire when merely the thread that spawned ends.
//
// Signals: SIGTERM is passed on to every descendant; SIGUSR1 kills them all with SIGKILL. When PROGRAM ends, the rest is
// killed, and this process ends the same way: with its exit status, or by its signal.
//
// PROGRAM's variables are read from descriptor 3, each with a NUL behind it, and are for execve(2) alone: this program
// has none itself, for the loader obeys some of them (LD_PRELOAD) before anything is confined.
//
// A PROGRAM that cannot be run is reported on descriptor 4 as one line, its reason; exit status 126. A plugin that is
// killed for the number of its processes is reported the same way, the reason beginning with "limit: ". The last line
// of a plugin that ran is "ended": nothing of it is left. PROGRAM has neither descriptor, so that nothing that it says is
// mistaken for a report.
//
// Options (rules.h): --memory=BYTES --files=NUMBER --soft-files=NUMBER --processes=NUMBER --default-processes=NUMBER
// --user=NUMBER --group=NUMBER --folder=PATH --hide=PATH --keep=PATH --may-expose --no-network --sandbox --read=PATH
// --write=PATH --require. --probe tells what this machine can enforce: "landlock VERSION"; "sockets 1" where system
// calls can be refused, else 0; "mounts 2" where a plugin can get mounts of its own by root's right, 1 by that of an
// ordinary user, else 0.

#define _GNU_SOURCE
#include "rules.h"

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
    // Passes over all descendants to stop them before they are killed: what is stopped does not fork.
    STOP_PASSES = 2,
    // Milliseconds between passes while killed processes have not been reaped yet.
    PASS_INTERVAL_MS = 5,
    // Milliseconds between two counts of the plugin's processes, where they are limited.
    COUNT_INTERVAL_MS = 200,
    // Descriptors from the host: the plugin's variables, and where reports go.
    VARIABLES = 3,
    REPORT = 4,
    // Bytes of the variables, the NULs among them, and how many there may be. The kernel itself takes 6 MiB at most.
    MAX_VARIABLES = 4 << 20,
    MAX_VARIABLE_COUNT = 64 << 10,
};

static int fail(const char *what, int error) {
    dprintf(REPORT, "%s: %s\n", what, strerror(error));
    return EXIT_CANNOT_RUN;
}

// Reads the plugin's variables, for execve(2). Returns NULL with the trouble noted.
static char **read_variables(struct trouble *trouble) {
    char *bytes = malloc(MAX_VARIABLES + 1);
    char **variables = malloc((MAX_VARIABLE_COUNT + 1) * sizeof *variables);
    size_t length = 0, count = 0;
    ssize_t got = bytes == NULL || variables == NULL ? -1 : 1;
    while (got > 0 && length <= MAX_VARIABLES) {
        got = read(VARIABLES, bytes + length, MAX_VARIABLES + 1 - length);
        if (got > 0) length += (size_t)got;
        else if (got < 0 && errno == EINTR) got = 1;
    }
    if (got >= 0) {
        bool is_whole = length <= MAX_VARIABLES && (length == 0 || bytes[length - 1] == 0);
        for (size_t i = 0; is_whole && i < length; i += strlen(bytes + i) + 1) {
            if (count == MAX_VARIABLE_COUNT) is_whole = false;
            else variables[count++] = bytes + i;
        }
        if (is_whole) {
            variables[count] = NULL;
            return variables;
        }
        errno = E2BIG;
    }
    note_trouble(trouble, "cannot read the plugin's variables", NULL);
    return NULL;
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

// The plugin's own process by a descriptor, which needs neither /proc nor memory.
static void signal_plugin(int process, int signal_number) {
    if (process >= 0) syscall(SYS_pidfd_send_signal, process, signal_number, NULL, 0);
}

// Kills and reaps until nothing is left. Killing a process hands its children to this one, so passes are repeated, and
// whatever else fails, a child of this process is found and killed in each.
static void kill_all(pid_t plugin, int process, int *status, bool *ended) {
    while (reap(plugin, status, ended)) {
        kill_group();
        for (int i = 0; i < STOP_PASSES; i++) signal_descendants(SIGSTOP);
        signal_plugin(process, SIGKILL);
        signal_descendants(SIGKILL);
        signal_children(SIGKILL);
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
static void become_plugin(pid_t launcher, int report, const sigset_t *mask, struct rules *rules, char **arguments) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != launcher) _exit(EXIT_CANNOT_RUN);
    setsid();
    join_group();
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, mask, NULL);
    struct trouble trouble = {0, ""};
    char **variables = read_variables(&trouble);
    if (variables != NULL && apply_rules(rules, arguments[0], &trouble)) {
        // A change of user takes it off.
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != launcher) _exit(EXIT_CANNOT_RUN);
        execve(arguments[0], arguments, variables);
        note_trouble(&trouble, arguments[0], NULL);
        if (trouble.error == EACCES && rules->user > 0) {
            note_trouble(&trouble, "(the plugin's user may not run it, or what its first line names)", arguments[0]);
        } else if (trouble.error == EACCES && rules->sandbox) {
            note_trouble(&trouble, "(what its first line names may be outside of [sandbox] read)", arguments[0]);
        }
    }
    ssize_t ignored = write(report, &trouble, sizeof trouble);
    (void)ignored;
    _exit(EXIT_CANNOT_RUN);
}

// Tells of a plugin over its limit of processes, or that cannot be counted, which is treated as the same.
static void tell_limit(long long limit, int running) {
    if (running < 0) {
        dprintf(REPORT, "limit: its processes cannot be counted, %lld are allowed\n", limit);
    } else {
        dprintf(REPORT, "limit: %d processes and threads, %lld are allowed\n", running, limit);
    }
}

// Whether the plugin has more processes than it may. Most have few, which is cheap to see; the rest are counted.
static bool is_over_limit(const struct rules *rules) {
    if (rules->processes == 0 || has_fewer(rules->processes / 2)) return false;
    int running = signal_descendants(0);
    if (running < 0 ? rules->processes_by_default : running <= rules->processes) return false;
    tell_limit(rules->processes, running);
    return true;
}

static int watch(int signals, int host, pid_t plugin, int process, const struct rules *rules) {
    int status = 0;
    bool ended = false, is_killed = false;
    struct pollfd watched[2] = {{.fd = signals, .events = POLLIN}, {.fd = host, .events = POLLIN}};
    while (!ended) {
        if (poll(watched, 2, rules->processes > 0 ? COUNT_INTERVAL_MS : -1) < 0 && errno != EINTR) {
            // A limit of open files below two forbids to wait (poll(2), EINVAL), and to count.
            if (rules->processes > 0 && !rules->processes_by_default) tell_limit(rules->processes, -1);
            break;
        }
        if (watched[1].revents != 0) break;
        struct signalfd_siginfo info;
        while (read(signals, &info, sizeof info) == (ssize_t)sizeof info) {
            if (info.ssi_signo == SIGTERM && signal_descendants(SIGTERM) < 0) signal_plugin(process, SIGTERM);
            if (info.ssi_signo == SIGUSR1) is_killed = true;
        }
        if (is_killed) break;
        reap(plugin, &status, &ended);
        if (!ended && is_over_limit(rules)) break;
    }
    kill_all(plugin, process, &status, &ended);
    remove_group();
    // The host has nothing to look for.
    dprintf(REPORT, "ended\n");
    return end_like(status);
}

// As many descriptors as it may have: each look at a process takes one.
static void raise_limit(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

static int probe(void) {
    printf("landlock %d\nsockets %d\nmounts %d\n", landlock_version(), can_filter() ? 1 : 0, (int)possible_mounts());
    return 0;
}

// Bytes that fit into the pipe of events: at 64 KiB host and plugin wake each other for every few hundred events.
enum { EVENTS_PIPE = 512 << 10 };

int main(int count, char **arguments) {
    if (count == 2 && strcmp(arguments[1], "--probe") == 0) return probe();
    if (count == 2 && (strcmp(arguments[1], "--help") == 0 || strcmp(arguments[1], "-h") == 0)) {
        puts("crowbar-launch stands between Crowbar's plugin host and one plugin: it confines the plugin and ends all that\n"
             "the plugin started. The host starts it; there is nothing to start by hand. See docs/sandbox.md.");
        return 0;
    }
    static struct rules rules;
    int first = count < 3 ? -1 : read_rules(count, arguments, 2, &rules);
    if (first < 0) {
        fprintf(stderr, "usage: crowbar-launch HOST_PID [OPTION ...] -- PROGRAM [ARGUMENT ...]\n");
        if (count >= 3) fail("an option of the host is not in order", EINVAL);
        return 64;
    }
    pid_t host_pid = atoi(arguments[1]);
    // Before anything is started that could inherit them.
    if (fcntl(VARIABLES, F_SETFD, FD_CLOEXEC) != 0 || fcntl(REPORT, F_SETFD, FD_CLOEXEC) != 0) {
        fprintf(stderr, "crowbar-launch: is started by crowbar, with descriptors 3 and 4 for variables and reports\n");
        return 64;
    }
    // A host that is gone is no reason to end without killing the plugin.
    signal(SIGPIPE, SIG_IGN);

    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    sigemptyset(&before);
    int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0) return fail("signalfd", errno);

    // Where the system allows no more, the pipe stays as it is.
    fcntl(STDIN_FILENO, F_SETPIPE_SZ, EVENTS_PIPE);
    setsid();
    // Nobody of the same user looks into it or traces it.
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return fail("cannot become a subreaper", errno);
    int host = (int)syscall(SYS_pidfd_open, host_pid, 0);
    if (host < 0) return fail("cannot watch the host", errno);
    // The host may have ended before it was watched, and its number may be another's by now.
    if (getppid() != host_pid) return fail("the host is gone", ESRCH);

    // Before the plugin could do anything about it.
    if (!open_processes()) return fail("cannot open /proc, by which a plugin's processes are found", errno);
    make_group(getpid());
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) return fail("pipe", errno);
    pid_t launcher = getpid();
    pid_t plugin = fork();
    if (plugin < 0) return fail("cannot start a process", errno);
    if (plugin == 0) become_plugin(launcher, report[1], &before, &rules, arguments + first);

    keep_right_to_kill(rules.user > 0);
    close(report[1]);
    close(VARIABLES);
    raise_limit();
    int process = (int)syscall(SYS_pidfd_open, plugin, 0);
    struct trouble trouble;
    ssize_t got;
    do got = read(report[0], &trouble, sizeof trouble);
    while (got < 0 && errno == EINTR);
    close(report[0]);
    if (got == (ssize_t)sizeof trouble) {
        waitpid(plugin, NULL, 0);
        remove_group();
        return fail(trouble.what, trouble.error);
    }
    // The pipes are the plugin's alone from here on: the host sees their ends when the plugin closes them.
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nothing >= 0) {
        dup2(nothing, STDIN_FILENO);
        dup2(nothing, STDOUT_FILENO);
        dup2(nothing, STDERR_FILENO);
    }
    return watch(signals, host, plugin, process, &rules);
}
