// The file system, closed by Landlock (landlock(7)). The kernel's headers may be older than the kernel, so its numbers are
// written out here; all are the same on every processor.

#define _GNU_SOURCE
#include "rules.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    CREATE_RULESET = 444,
    ADD_RULE = 445,
    RESTRICT_SELF = 446,
    ASK_VERSION = 1,
    RULE_PATH_BENEATH = 1,
    // Rules for renaming across folders, for TCP, and for signals and abstract sockets, came with these versions.
    VERSION_REFER = 2,
    VERSION_NETWORK = 4,
    VERSION_SCOPES = 6,
};

#define BIT(number) (UINT64_C(1) << (number))
#define EXECUTE BIT(0)
#define WRITE_FILE BIT(1)
#define READ_FILE BIT(2)
#define READ_FOLDER BIT(3)
// Remove folders and files (4, 5), make folders, files, sockets, pipes and links (7, 8, 9, 10, 12).
#define CHANGE_FOLDER (BIT(4) | BIT(5) | BIT(7) | BIT(8) | BIT(9) | BIT(10) | BIT(12))
// Device files: never allowed, for root could make a disk's.
#define MAKE_DEVICE (BIT(6) | BIT(11))
// Rename and link across folders: version 2.
#define REFER BIT(13)
// Version 3.
#define TRUNCATE BIT(14)
// Version 5.
#define CONTROL_DEVICE BIT(15)
#define TCP (BIT(0) | BIT(1))
// Abstract sockets and signals beyond the sandbox.
#define ABSTRACT_SOCKETS BIT(0)
#define SIGNALS BIT(1)

#define READING (EXECUTE | READ_FILE | READ_FOLDER)
#define WRITING (READING | WRITE_FILE | CHANGE_FOLDER | REFER | TRUNCATE)
#define FOR_FILES (EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | CONTROL_DEVICE)

struct ruleset {
    uint64_t files, network, scopes;
};

struct __attribute__((packed)) path_rule {
    uint64_t allowed;
    int32_t file;
};

// What programs need to run, where there is one. Nothing here is secret on a usual machine: no /etc as a whole, no
// home folders, no /var, no /run. /proc is whole, for children need their own entries of it; the kernel lets a sandboxed
// process look into no other process that is not in its sandbox (environment, memory, files), as it may not trace it.
static const char *const system_folders[] = {
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/proc",
    "/sys/devices/system/cpu", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/ld.so.preload",
    "/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/crypto-policies", "/etc/resolv.conf", "/etc/hosts",
    "/etc/host.conf", "/etc/gai.conf", "/etc/nsswitch.conf", "/etc/services", "/etc/protocols", "/etc/passwd",
    "/etc/group", "/etc/localtime", "/etc/timezone", "/etc/os-release", "/etc/alternatives", "/etc/mime.types",
};

static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};

int landlock_version(void) {
    long version = syscall(CREATE_RULESET, NULL, 0, ASK_VERSION);
    return version > 0 ? (int)version : 0;
}

// The rights over files that a version knows.
static uint64_t known_to(int version) {
    uint64_t rights = WRITING | MAKE_DEVICE;
    if (version < 2) rights &= ~REFER;
    if (version < 3) rights &= ~TRUNCATE;
    if (version >= 5) rights |= CONTROL_DEVICE;
    return rights;
}

// A ruleset being filled: the rights it knows, and the rules with what stays hidden or as it is, if anything.
struct allowing {
    int ruleset;
    uint64_t known;
    const struct rules *hidden;
};

// Allows something under a path; false with errno where there is none, or no room.
static bool allow(struct allowing to, const char *path, uint64_t rights, int flags) {
    int file = open(path, O_PATH | O_CLOEXEC | flags);
    if (file < 0) return false;
    struct stat info;
    bool done = fstat(file, &info) == 0;
    if (done) {
        uint64_t allowed = rights & to.known;
        if (!S_ISDIR(info.st_mode)) allowed &= FOR_FILES;
        struct path_rule rule = {allowed, file};
        // A link is nothing itself, and there may be nothing to allow.
        done = allowed == 0 || S_ISLNK(info.st_mode) || syscall(ADD_RULE, to.ruleset, RULE_PATH_BENEATH, &rule, 0) == 0;
    }
    int error = errno;
    close(file);
    errno = error;
    return done;
}

// Whether something of a list lies below a path. `is_part`: the path is or lies below something of it.
static bool holds_any(const char *const *list, int count, const char *path, bool *is_part) {
    bool holds = false;
    *is_part = false;
    for (int i = 0; i < count; i++) {
        if (is_within(path, list[i])) *is_part = true;
        if (is_within(list[i], path)) holds = true;
    }
    return holds;
}

static bool allow_entries(struct allowing to, const char *path, uint64_t rights);

// Of a folder of devices only what harms nobody. A disk's device has the bytes of the data folder.
static bool allow_devices(struct allowing to, const char *folder, uint64_t rights) {
    static const char *const names[] = {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm"};
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        if (!allow_entries(to, path, rights) && errno != ENOENT && errno != EACCES) return false;
    }
    return allow(to, folder, rights & READ_FOLDER, O_NOFOLLOW);
}

// Landlock cannot take a folder out of one that is allowed, so what holds one that is hidden or can only be read is
// allowed entry by entry. What is made later beside these entries is out of reach.
static bool allow_entries(struct allowing to, const char *path, uint64_t rights) {
    bool is_hidden, is_kept, holds_place;
    bool holds = holds_any(to.hidden->hide, to.hidden->hides, path, &is_hidden);
    if (is_hidden) return true;
    bool holds_kept = holds_any(to.hidden->keep, to.hidden->keeps, path, &is_kept);
    if (is_kept) rights &= READING;
    holds = holds || (holds_kept && !is_kept);
    // Through the kernel's file systems a plugin could change other processes of its user and, as root, the kernel.
    enum place place = place_of(path, &holds_place);
    if (place == PLACE_KERNEL) rights &= READING;
    if (place == PLACE_DEVICES) return allow_devices(to, path, rights);
    if (!holds && !(holds_place && place == PLACE_USUAL)) return allow(to, path, rights, O_NOFOLLOW);
    DIR *folder = opendir(path);
    if (folder == NULL) return errno == EACCES;
    bool done = true;
    for (struct dirent *entry; done && (entry = readdir(folder)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        char next[PATH_MAX];
        snprintf(next, sizeof next, "%s/%s", strcmp(path, "/") == 0 ? "" : path, entry->d_name);
        // Something may end meanwhile, or not be this user's.
        done = allow_entries(to, next, rights) || errno == ENOENT || errno == EACCES;
    }
    closedir(folder);
    return done;
}

// Allows what is under a path but for what stays hidden.
static bool allow_path(struct allowing to, const char *path, uint64_t rights) {
    // The present folder is the plugin's own, wherever it is.
    if (to.hidden == NULL || strcmp(path, ".") == 0) return allow(to, path, rights, 0);
    char *real = realpath(path, NULL);
    if (real == NULL) return false;
    bool done = allow_entries(to, real, rights);
    int error = errno;
    free(real);
    errno = error;
    return done;
}

static bool allow_paths(struct allowing to, const struct rules *rules, const char *program, struct trouble *trouble) {
    for (size_t i = 0; i < sizeof system_folders / sizeof *system_folders; i++) {
        if (!allow_path(to, system_folders[i], READING) && errno != ENOENT && errno != EACCES) {
            return note_trouble(trouble, "cannot allow", system_folders[i]);
        }
    }
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
        if (!allow_path(to, devices[i], READ_FILE | WRITE_FILE | TRUNCATE) && errno != ENOENT) {
            return note_trouble(trouble, "cannot allow", devices[i]);
        }
    }
    if (!allow_path(to, program, READING)) return note_trouble(trouble, program, NULL);
    for (int i = 0; i < rules->reads; i++) {
        if (!allow_path(to, rules->read[i], READING)) {
            return note_trouble(trouble, "[sandbox] read:", rules->read[i]);
        }
    }
    for (int i = 0; i < rules->writes; i++) {
        if (!allow_path(to, rules->write[i], WRITING)) {
            return note_trouble(trouble, "[sandbox] write:", rules->write[i]);
        }
    }
    return true;
}

// The rights that are denied unless a rule allows them.
static uint64_t handled_rights(const struct rules *rules, bool hides, int version) {
    if (rules->sandbox || hides) return known_to(version);
    // Every plugin is in a domain, for nobody in one can look into a process outside of it, and so into what that sees
    // of the file system (/proc/PID/root). One that restricts no files is possible from version 6 on; before, it is made
    // by a right that no plugin has anyway. In version 1 nothing could be renamed across folders any more.
    return version >= VERSION_REFER && version < VERSION_SCOPES ? REFER | MAKE_DEVICE : 0;
}

bool restrict_files(const struct rules *rules, const char *program, bool hides, struct trouble *trouble) {
    int version = landlock_version();
    if (version == 0) {
        errno = ENOSYS;
        return !(rules->sandbox && rules->require) || note_trouble(trouble, "[sandbox] needs Landlock", NULL);
    }
    struct ruleset handled = {handled_rights(rules, hides, version), 0, 0};
    if (rules->no_network && version >= VERSION_NETWORK) handled.network = TCP;
    // No plugin may end the host or its own launcher.
    if (version >= VERSION_SCOPES) handled.scopes = rules->sandbox ? SIGNALS | ABSTRACT_SOCKETS : SIGNALS;
    if (handled.files == 0 && handled.network == 0 && handled.scopes == 0) return true;
    size_t size = version >= VERSION_SCOPES ? 24 : version >= VERSION_NETWORK ? 16 : 8;
    int ruleset = (int)syscall(CREATE_RULESET, &handled, size, 0);
    if (ruleset < 0) return note_trouble(trouble, "cannot make a Landlock ruleset", NULL);
    struct allowing to = {ruleset, handled.files, hides ? rules : NULL};
    bool done = true;
    if (rules->sandbox) {
        done = allow_paths(to, rules, program, trouble);
    } else if (hides) {
        done = (allow_path(to, "/", ~MAKE_DEVICE) && allow_path(to, ".", ~MAKE_DEVICE)) ||
               note_trouble(trouble, "cannot allow all but the data folder", NULL);
    } else if (handled.files != 0) {
        done = allow_path(to, "/", REFER) || note_trouble(trouble, "cannot allow renaming", NULL);
    }
    if (done && syscall(RESTRICT_SELF, ruleset, 0) != 0) done = note_trouble(trouble, "cannot enforce Landlock", NULL);
    close(ruleset);
    return done;
}
