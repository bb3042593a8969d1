// The file system, closed by Landlock (landlock(7)). The kernel's headers may be older than the kernel, so its numbers are
// written out here; all are the same on every processor.

#define _GNU_SOURCE
#include "rules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
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
    // Rules for TCP, and for signals and abstract sockets, came with these versions.
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
#define SCOPES (BIT(0) | BIT(1))

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

// Allows something under a path; false with errno where there is none, or no room.
static bool allow(int ruleset, const char *path, uint64_t rights, uint64_t known) {
    int file = open(path, O_PATH | O_CLOEXEC);
    if (file < 0) return false;
    struct stat info;
    bool done = fstat(file, &info) == 0;
    if (done) {
        uint64_t allowed = rights & known;
        if (!S_ISDIR(info.st_mode)) allowed &= FOR_FILES;
        struct path_rule rule = {allowed, file};
        done = syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0) == 0;
    }
    int error = errno;
    close(file);
    errno = error;
    return done;
}

static bool allow_paths(int ruleset, const struct rules *rules, const char *program, uint64_t known,
                        struct trouble *trouble) {
    for (size_t i = 0; i < sizeof system_folders / sizeof *system_folders; i++) {
        if (!allow(ruleset, system_folders[i], READING, known) && errno != ENOENT && errno != EACCES) {
            return note_trouble(trouble, "cannot allow", system_folders[i]);
        }
    }
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
        if (!allow(ruleset, devices[i], READ_FILE | WRITE_FILE | TRUNCATE, known) && errno != ENOENT) {
            return note_trouble(trouble, "cannot allow", devices[i]);
        }
    }
    if (!allow(ruleset, program, READING, known)) return note_trouble(trouble, program, NULL);
    for (int i = 0; i < rules->reads; i++) {
        if (!allow(ruleset, rules->read[i], READING, known)) return note_trouble(trouble, "[sandbox] read:", rules->read[i]);
    }
    for (int i = 0; i < rules->writes; i++) {
        if (!allow(ruleset, rules->write[i], WRITING, known)) {
            return note_trouble(trouble, "[sandbox] write:", rules->write[i]);
        }
    }
    return true;
}

bool restrict_files(const struct rules *rules, const char *program, struct trouble *trouble) {
    int version = landlock_version();
    if (version == 0) {
        errno = ENOSYS;
        return !(rules->sandbox && rules->require) || note_trouble(trouble, "[sandbox] needs Landlock", NULL);
    }
    struct ruleset handled = {0, 0, 0};
    if (rules->sandbox) handled.files = known_to(version);
    if (rules->no_network && version >= VERSION_NETWORK) handled.network = TCP;
    // A sandboxed plugin must not end the host or its own launcher.
    if (rules->sandbox && version >= VERSION_SCOPES) handled.scopes = SCOPES;
    if (handled.files == 0 && handled.network == 0) return true;
    size_t size = version >= VERSION_SCOPES ? 24 : version >= VERSION_NETWORK ? 16 : 8;
    int ruleset = (int)syscall(CREATE_RULESET, &handled, size, 0);
    if (ruleset < 0) return note_trouble(trouble, "cannot make a Landlock ruleset", NULL);
    bool done = handled.files == 0 || allow_paths(ruleset, rules, program, handled.files, trouble);
    if (done && syscall(RESTRICT_SELF, ruleset, 0) != 0) done = note_trouble(trouble, "cannot enforce Landlock", NULL);
    close(ruleset);
    return done;
}
