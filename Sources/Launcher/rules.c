#define _GNU_SOURCE
#include "rules.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
// linux/close_range.h, Linux 5.11.
#define CLOSE_RANGE_AS_CLOEXEC 4u

enum {
    FIRST_FOREIGN_DESCRIPTOR = 3,
    // Processes and threads that plugins leave to the host, where they run as its user; at most a quarter of all.
    RESERVED_PROCESSES = 256,
};

bool note_trouble(struct trouble *trouble, const char *what, const char *detail) {
    trouble->error = errno;
    snprintf(trouble->what, sizeof trouble->what, "%s%s%.180s", what, detail == NULL ? "" : " ",
             detail == NULL ? "" : detail);
    return false;
}

// A whole number from 1 up to a million million, or 0 where the text is none.
static long long number(const char *text) {
    char *end;
    errno = 0;
    if (*text < '0' || *text > '9') return 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || *end != 0 || value > 1LL << 50) return 0;
    return value;
}

static bool add_path(const char *path, const char **paths, int *count) {
    if (*path == 0 || *count == MAX_PATHS) return false;
    paths[(*count)++] = path;
    return true;
}

static bool read_option(const char *option, struct rules *rules) {
    if (strncmp(option, "--memory=", 9) == 0) return (rules->memory = number(option + 9)) > 0;
    if (strncmp(option, "--files=", 8) == 0) return (rules->files = number(option + 8)) > 0;
    if (strncmp(option, "--soft-files=", 13) == 0) return (rules->soft_files = number(option + 13)) > 0;
    if (strncmp(option, "--processes=", 12) == 0) return (rules->processes = number(option + 12)) > 0;
    if (strncmp(option, "--default-processes=", 20) == 0) {
        rules->processes_by_default = true;
        return (rules->processes = number(option + 20)) > 0;
    }
    if (strncmp(option, "--user=", 7) == 0) return (rules->user = number(option + 7)) > 0;
    if (strncmp(option, "--group=", 8) == 0) return (rules->group = number(option + 8)) > 0;
    if (strncmp(option, "--folder=", 9) == 0) return *(rules->folder = option + 9) == '/';
    if (strncmp(option, "--hide=", 7) == 0) return add_path(option + 7, rules->hide, &rules->hides);
    if (strncmp(option, "--keep=", 7) == 0) return add_path(option + 7, rules->keep, &rules->keeps);
    if (strncmp(option, "--read=", 7) == 0) return add_path(option + 7, rules->read, &rules->reads);
    if (strncmp(option, "--write=", 8) == 0) return add_path(option + 8, rules->write, &rules->writes);
    if (strcmp(option, "--no-network") == 0) return rules->no_network = true;
    if (strcmp(option, "--sandbox") == 0) return rules->sandbox = true;
    if (strcmp(option, "--require") == 0) return rules->require = true;
    if (strcmp(option, "--may-expose") == 0) return rules->may_expose = true;
    return false;
}

int read_rules(int count, char **arguments, int from, struct rules *rules) {
    memset(rules, 0, sizeof *rules);
    for (int i = from; i < count; i++) {
        if (strcmp(arguments[i], "--") == 0) {
            return i + 1 < count && (rules->user > 0) == (rules->group > 0) ? i + 1 : -1;
        }
        if (!read_option(arguments[i], rules)) return -1;
    }
    return -1;
}

static bool limit(int resource, long long value, const char *name, struct trouble *trouble) {
    struct rlimit before, wanted = {(rlim_t)value, (rlim_t)value};
    // A hard limit that is lower already stays: only a privileged process could raise it.
    if (getrlimit(resource, &before) == 0 && before.rlim_max < wanted.rlim_max) {
        wanted.rlim_cur = wanted.rlim_max = before.rlim_max;
    }
    return setrlimit(resource, &wanted) == 0 || note_trouble(trouble, "cannot set the limit of", name);
}

// RLIMIT_NPROC counts all processes and threads of a user. A plugin that runs as the host's user gets less than the host
// has, so that the host can always start threads. Root is not limited. Set before a user namespace is made, as its owner's
// limit holds for all in it.
static bool reserve_processes(const struct rules *rules, struct trouble *trouble) {
    struct rlimit processes;
    if (rules->user > 0 || geteuid() == 0 || getrlimit(RLIMIT_NPROC, &processes) != 0) return true;
    if (processes.rlim_cur == RLIM_INFINITY) return true;
    rlim_t kept = processes.rlim_cur / 4;
    if (kept > RESERVED_PROCESSES) kept = RESERVED_PROCESSES;
    return limit(RLIMIT_NPROC, (long long)(processes.rlim_cur - kept), "processes", trouble);
}

// A program that uses select(2) fails with descriptors from 1024 on, so the plugin does not get the host's raised limit.
static void lower_soft_files(long long files) {
    struct rlimit open_files;
    if (files == 0 || getrlimit(RLIMIT_NOFILE, &open_files) != 0 || open_files.rlim_cur <= (rlim_t)files) return;
    open_files.rlim_cur = (rlim_t)files;
    setrlimit(RLIMIT_NOFILE, &open_files);
}

// Descriptors from 3 on are closed by exec, those of the launcher among them that it uses until then.
static bool inherit_nothing(struct trouble *trouble) {
    if (syscall(SYS_close_range, FIRST_FOREIGN_DESCRIPTOR, ~0u, CLOSE_RANGE_AS_CLOEXEC) == 0) return true;
    // Before Linux 5.11: one by one.
    struct rlimit open_files;
    if (getrlimit(RLIMIT_NOFILE, &open_files) != 0) return note_trouble(trouble, "cannot read the limit of files", NULL);
    for (rlim_t file = FIRST_FOREIGN_DESCRIPTOR; file < open_files.rlim_cur; file++) fcntl((int)file, F_SETFD, FD_CLOEXEC);
    return true;
}

// Keeps the hidden folders from the plugin by mounts, or leaves it to Landlock. `mounts` says which of them it was.
static bool hide(struct rules *rules, bool *mounts, struct trouble *trouble) {
    bool shares_user = rules->user == 0;
    *mounts = false;
    // Where another user runs it, what only owners may change needs no mounts.
    if (rules->hides == 0 && rules->keeps == 0 && !(rules->sandbox && shares_user)) {
        return reserve_processes(rules, trouble);
    }
    // The machine's message queues as files.
    static const char queues[] = "/dev/mqueue";
    if (rules->hides > 0 && access(queues, F_OK) == 0 && !add_path(queues, rules->hide, &rules->hides)) {
        errno = E2BIG;
        return note_trouble(trouble, "too many folders to hide", NULL);
    }
    if (!find_places(rules, trouble)) return false;
    // Found out by starting a process, so before the limit of processes is set.
    enum mounts how = possible_mounts();
    if (!reserve_processes(rules, trouble)) return false;
    if (how == MOUNTS_NONE) {
        errno = ENOSYS;
        if (rules->hides == 0 || landlock_version() > 0 || rules->may_expose) return true;
        return note_trouble(trouble,
                            "the data folder cannot be kept from it on this machine, which offers neither Landlock nor "
                            "mount namespaces; see docs/sandbox.md, or set expose_data = true", NULL);
    }
    // By root it is done before the user changes, by a user after.
    if (how == MOUNTS_BY_USER && !shares_user) {
        if (!become_user((uid_t)rules->user, (gid_t)rules->group, trouble)) return false;
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    }
    *mounts = true;
    return hide_folders(rules, how, rules->sandbox && shares_user, trouble);
}

// Folders above the plugin's own that its user has to pass, where they are not covered by mounts.
static bool open_way(const struct rules *rules, struct trouble *trouble) {
    char path[PATH_MAX];
    if (getcwd(path, sizeof path) == NULL) return note_trouble(trouble, "cannot find the plugin's folder", NULL);
    for (char *slash; (slash = strrchr(path, '/')) != NULL && slash != path;) {
        *slash = 0;
        bool is_hidden = false;
        for (int i = 0; i < rules->hides; i++) is_hidden = is_hidden || is_within(path, rules->hide[i]);
        if (is_hidden && chmod(path, 0711) != 0) return note_trouble(trouble, "cannot open a way through", path);
    }
    return true;
}

// Mounted over the root it would be open by "/.." past all that is hidden, which is mounted on the root below it.
static bool refuse_root(const struct rules *rules, struct trouble *trouble) {
    for (int i = 0; i < rules->writes; i++) {
        char *path = realpath(rules->write[i], NULL);
        bool is_root = path != NULL && strcmp(path, "/") == 0;
        free(path);
        errno = EINVAL;
        if (is_root) return note_trouble(trouble, "name the folders in [sandbox] write, not the root:",
                                         rules->write[i]);
    }
    return true;
}

// Files and identity: what has to be done while this process may still do it.
static bool confine(struct rules *rules, const char *program, bool *no_attributes, struct trouble *trouble) {
    bool mounts, has_user = rules->user > 0;
    if (!refuse_root(rules, trouble)) return false;
    if (rules->folder != NULL && !enter_folder(rules->folder, trouble)) return false;
    // The bounding set needs privilege that is gone later.
    drop_bounding_set();
    if (has_user && !give_folder((uid_t)rules->user, (gid_t)rules->group, trouble)) return false;
    // One that had a user of its own before. Without hidden folders the present one is not known to be the plugin's.
    bool may_give = geteuid() == 0 || has_capability(CAP_CHOWN);
    if (!has_user && may_give && rules->hides > 0 && !give_folder(geteuid(), getegid(), trouble)) return false;
    see_as(geteuid());
    // The files of a user namespace belong to root unless this is set.
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    if (!hide(rules, &mounts, trouble)) return false;
    if (has_user && geteuid() != (uid_t)rules->user) {
        if (!mounts && !open_way(rules, trouble)) return false;
        if (!become_user((uid_t)rules->user, (gid_t)rules->group, trouble)) return false;
    }
    if (!drop_capabilities(trouble)) return false;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return note_trouble(trouble, "cannot set no_new_privs", NULL);
    bool closes = rules->sandbox || rules->hides + rules->keeps > 0;
    *no_attributes = !mounts && !has_user && closes && !rules->may_expose;
    return restrict_files(rules, program, rules->hides + rules->keeps > 0 && !mounts, trouble);
}

bool apply_rules(struct rules *rules, const char *program, struct trouble *trouble) {
    umask(077);
    // One byte, not none: a kernel that pipes dumps to a program ignores 0 but not 1 (core(5)), and no dump fits in it.
    if (!limit(RLIMIT_CORE, 1, "core dumps", trouble)) return false;
    if (!inherit_nothing(trouble)) return false;
    bool no_attributes = false;
    if (!confine(rules, program, &no_attributes, trouble)) return false;
    // RLIMIT_DATA, not RLIMIT_AS: runtimes such as Node's and Go's reserve address space by the gigabyte that they never
    // touch. Since Linux 4.7 it counts all private memory that can be written, from mmap(2) too.
    if (rules->memory > 0 && !limit(RLIMIT_DATA, rules->memory, "memory", trouble)) return false;
    lower_soft_files(rules->soft_files);
    if (rules->files > 0 && !limit(RLIMIT_NOFILE, rules->files, "open files", trouble)) return false;
    if (can_filter()) return refuse_calls(rules, no_attributes, trouble);
    errno = ENOSYS;
    return !rules->require || note_trouble(trouble, "[sandbox] cannot be enforced without seccomp filters", NULL);
}
