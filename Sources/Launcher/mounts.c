// Mounts of the plugin's own (mount_namespaces(7)): the data folder is empty in them but for the plugin's own folder.
// Unlike Landlock this also stops chmod(2), extended attributes, times and Unix sockets.

#define _GNU_SOURCE
#include "rules.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// The kernel's headers may be older than the kernel.
enum {
    SYSTEM_OPEN_TREE = 428,
    SYSTEM_MOVE_MOUNT = 429,
    SYSTEM_MOUNT_SETATTR = 442,
    TREE_CLONE = 1,
    FROM_EMPTY_PATH = 4,
    ALL_BELOW = 0x8000,
    READ_ONLY = 1,
    NO_SET_ID = 2,
    NO_DEVICES = 4,
};

struct attributes {
    uint64_t set, clear, propagation, user_namespace;
};

bool is_within(const char *path, const char *folder) {
    size_t length = strlen(folder);
    if (length == 1 && folder[0] == '/') return true;
    return strncmp(path, folder, length) == 0 && (path[length] == 0 || path[length] == '/');
}

int clone_mount(const char *path) {
    return (int)syscall(SYSTEM_OPEN_TREE, AT_FDCWD, path, TREE_CLONE | O_CLOEXEC | ALL_BELOW);
}

bool attach_mount(int tree, const char *path) {
    bool done = syscall(SYSTEM_MOVE_MOUNT, tree, "", AT_FDCWD, path, FROM_EMPTY_PATH) == 0;
    int error = errno;
    close(tree);
    errno = error;
    return done;
}

static bool write_line(const char *path, const char *line) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) return false;
    bool done = write(file, line, strlen(line)) == (ssize_t)strlen(line);
    int error = errno;
    close(file);
    errno = error;
    return done;
}

// A new mount namespace. As the owner of a user namespace in which this user and group have the same numbers, and all
// others none.
static bool enter(enum mounts how) {
    if (how == MOUNTS_BY_USER) {
        char users[64], groups[64];
        snprintf(users, sizeof users, "%u %u 1", (unsigned)geteuid(), (unsigned)geteuid());
        snprintf(groups, sizeof groups, "%u %u 1", (unsigned)getegid(), (unsigned)getegid());
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
        if (!write_line("/proc/self/setgroups", "deny") || !write_line("/proc/self/uid_map", users)) return false;
        if (!write_line("/proc/self/gid_map", groups)) return false;
    } else if (unshare(CLONE_NEWNS) != 0) {
        return false;
    }
    // The machine sees nothing of this. Nor is here what it mounts later, which could show what is hidden.
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static bool works(enum mounts how) {
    pid_t child = fork();
    if (child < 0) return false;
    if (child == 0) {
        if (!enter(how)) _exit(1);
        int tree = clone_mount("/");
        bool done = tree >= 0 && mount("crowbar", "/", "tmpfs", MS_NOSUID | MS_NODEV, "size=4k,nr_inodes=2") == 0;
        _exit(done ? 0 : 1);
    }
    int status = 1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

enum mounts possible_mounts(void) {
    if (works(MOUNTS_BY_ROOT)) return MOUNTS_BY_ROOT;
    return works(MOUNTS_BY_USER) ? MOUNTS_BY_USER : MOUNTS_NONE;
}

// A line of /proc/self/mountinfo (proc(5)): device, the path within the file system, and where it is mounted.
struct mounted {
    char device[32], root[PATH_MAX], point[PATH_MAX];
};

// Space, tab, line feed and backslash are written as three octal digits.
void decode_mount(char *text) {
    char *to = text;
    for (const char *from = text; *from != 0; to++) {
        if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] != 0 && from[3] != 0) {
            *to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = 0;
}

static bool next_mount(FILE *file, struct mounted *line) {
    static char text[3 * PATH_MAX];
    while (fgets(text, sizeof text, file) != NULL) {
        // Lengths as in the declaration above.
        if (sscanf(text, "%*d %*d %31s %4095s %4095s", line->device, line->root, line->point) != 3) continue;
        decode_mount(line->root);
        decode_mount(line->point);
        return true;
    }
    return false;
}

// What of a path lies below a folder: with a slash in front, or empty.
static const char *below(const char *path, const char *folder) {
    return strcmp(folder, "/") == 0 ? path : path + strlen(folder);
}

static bool is_within_any(const char *path, const char *const *folders, int count) {
    for (int i = 0; i < count; i++) {
        if (is_within(path, folders[i])) return true;
    }
    return false;
}

// Adds a path that is not below one of the list already.
static bool add_place(const char *path, const char **list, int *count) {
    if (is_within_any(path, list, *count)) return true;
    char *copy = strdup(path);
    errno = E2BIG;
    if (copy == NULL || *count == MAX_PATHS) return false;
    list[(*count)++] = copy;
    return true;
}

static bool is_same(const char *path, const char *other) {
    struct stat one, two;
    return stat(path, &one) == 0 && stat(other, &two) == 0 && one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

// The other places where a file or folder can be seen: its file system may be mounted more than once, or a part of it.
static bool add_other_places(const char *folder, FILE *file, const char **list, int *count) {
    static struct mounted line, home;
    static char inside[2 * PATH_MAX], place[3 * PATH_MAX];
    home.point[0] = 0;
    rewind(file);
    while (next_mount(file, &line)) {
        if (is_within(folder, line.point) && strlen(line.point) >= strlen(home.point)) home = line;
    }
    if (home.point[0] == 0) return true;
    snprintf(inside, sizeof inside, "%s%s", strcmp(home.root, "/") == 0 ? "" : home.root, below(folder, home.point));
    rewind(file);
    while (next_mount(file, &line)) {
        if (strcmp(line.device, home.device) != 0) continue;
        if (is_within(inside, line.root)) {
            const char *rest = below(inside, line.root);
            snprintf(place, sizeof place, "%s%s", strcmp(line.point, "/") == 0 && *rest != 0 ? "" : line.point, rest);
            if (!is_same(place, folder)) continue;
        } else if (is_within(line.root, inside) && access(line.point, F_OK) == 0) {
            snprintf(place, sizeof place, "%s", line.point);
        } else {
            continue;
        }
        if (!add_place(place, list, count)) return false;
    }
    return true;
}

bool find_places(struct rules *rules, struct trouble *trouble) {
    int given = 0, kept = 0;
    for (int i = 0; i < rules->hides; i++) {
        char *path = realpath(rules->hide[i], NULL);
        if (path == NULL) return note_trouble(trouble, "cannot find the folder to hide:", rules->hide[i]);
        if (!is_within_any(path, rules->hide, given)) rules->hide[given++] = path;
    }
    rules->hides = given;
    for (int i = 0; i < rules->keeps; i++) {
        char *path = realpath(rules->keep[i], NULL);
        if (path == NULL && errno != ENOENT && errno != EACCES) {
            return note_trouble(trouble, "cannot find what no plugin may change:", rules->keep[i]);
        }
        if (path == NULL || is_within_any(path, rules->hide, given)) continue;
        if (!is_within_any(path, rules->keep, kept)) rules->keep[kept++] = path;
    }
    rules->keeps = kept;
    FILE *file = fopen("/proc/self/mountinfo", "re");
    if (file == NULL) return note_trouble(trouble, "cannot read", "/proc/self/mountinfo");
    bool done = true;
    for (int i = 0; done && i < given; i++) done = add_other_places(rules->hide[i], file, rules->hide, &rules->hides);
    for (int i = 0; done && i < kept; i++) done = add_other_places(rules->keep[i], file, rules->keep, &rules->keeps);
    fclose(file);
    return done || note_trouble(trouble, "cannot find all places where the data folder is mounted", NULL);
}

static bool cover(const char *path) {
    struct stat info;
    if (stat(path, &info) != 0) return errno == ENOENT;
    if (!S_ISDIR(info.st_mode)) return mount("/dev/null", path, NULL, MS_BIND, NULL) == 0;
    return mount("crowbar", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755,size=64k,nr_inodes=64") == 0;
}

static bool close_cover(const char *path) {
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) return true;
    unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
    return mount(NULL, path, NULL, flags, NULL) == 0;
}

// Makes the folders between a covered one and the plugin's own.
static bool make_folders(const char *cover, const char *own) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", own);
    for (size_t i = strlen(cover) + 1; i <= strlen(own); i++) {
        if (own[i] != '/' && own[i] != 0) continue;
        path[i] = 0;
        if (mkdir(path, 0755) != 0 && errno != EEXIST) return false;
        chmod(path, 0755);
        path[i] = own[i];
    }
    return true;
}

// All can be read and nothing written but below `write`.
static bool close_for_writing(const struct rules *rules, struct trouble *trouble) {
    static char *places[MAX_PATHS];
    int trees[MAX_PATHS];
    for (int i = 0; i < rules->writes; i++) {
        // The present folder is kept by the caller.
        if (strcmp(rules->write[i], ".") == 0) continue;
        places[i] = realpath(rules->write[i], NULL);
        trees[i] = places[i] == NULL ? -1 : clone_mount(places[i]);
        if (trees[i] < 0) return note_trouble(trouble, "[sandbox] write:", rules->write[i]);
    }
    struct attributes attributes = {.set = READ_ONLY};
    // Before Linux 5.12 there is only Landlock for this.
    long status = syscall(SYSTEM_MOUNT_SETATTR, AT_FDCWD, "/", ALL_BELOW, &attributes, sizeof attributes);
    if (status != 0 && errno != ENOSYS) return note_trouble(trouble, "cannot close the file system for writing", NULL);
    for (int i = 0; i < rules->writes; i++) {
        if (places[i] == NULL) continue;
        if (!attach_mount(trees[i], places[i])) return note_trouble(trouble, "[sandbox] write:", rules->write[i]);
    }
    return true;
}

// What is mounted over itself can be closed by itself, and neither be renamed nor removed here.
static bool keep_as_it_is(const char *path) {
    int tree = clone_mount(path);
    // What this user cannot reach it cannot change.
    if (tree < 0) return errno == EACCES;
    if (!attach_mount(tree, path)) return false;
    struct attributes attributes = {.set = READ_ONLY};
    if (syscall(SYSTEM_MOUNT_SETATTR, AT_FDCWD, path, ALL_BELOW, &attributes, sizeof attributes) == 0) return true;
    struct statvfs info;
    if (errno != ENOSYS || statvfs(path, &info) != 0) return false;
    // Before Linux 5.12 without what is mounted below; what was closed already must stay so.
    unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY;
    if (info.f_flag & ST_NOSUID) flags |= MS_NOSUID;
    if (info.f_flag & ST_NODEV) flags |= MS_NODEV;
    if (info.f_flag & ST_NOEXEC) flags |= MS_NOEXEC;
    return mount(NULL, path, NULL, flags, NULL) == 0;
}

// Through these a plugin could change other processes of its user (oom_score_adj, autogroup) and, as root, the kernel.
static bool close_kernel(void) {
    static const char *const folders[] = {"/proc", "/sys"};
    struct attributes attributes = {.set = READ_ONLY};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        long status = syscall(SYSTEM_MOUNT_SETATTR, AT_FDCWD, folders[i], ALL_BELOW, &attributes, sizeof attributes);
        if (status == 0) continue;
        // Before Linux 5.12 without what is mounted below. EINVAL where nothing is mounted there.
        unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
        if (errno == ENOSYS && mount(NULL, folders[i], NULL, flags, NULL) == 0) continue;
        if (errno != EINVAL && errno != ENOENT) return false;
    }
    return true;
}

bool close_mount(const char *path) {
    struct attributes attributes = {.set = READ_ONLY};
    if (syscall(SYSTEM_MOUNT_SETATTR, AT_FDCWD, path, 0, &attributes, sizeof attributes) == 0) return true;
    unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
    if (errno == ENOSYS && mount(NULL, path, NULL, flags, NULL) == 0) return true;
    // EINVAL where it is no mount any more. What this user cannot reach the plugin cannot reach either.
    return errno == EINVAL || errno == ENOENT || errno == EACCES;
}

// No file gives rights and no device opens, wherever they are. Before Linux 5.12 that is so in /dev only.
static bool close_files(void) {
    struct attributes attributes = {.set = NO_SET_ID | NO_DEVICES};
    long status = syscall(SYSTEM_MOUNT_SETATTR, AT_FDCWD, "/", ALL_BELOW, &attributes, sizeof attributes);
    return status == 0 || errno == ENOSYS;
}

bool hide_folders(struct rules *rules, enum mounts how, bool read_only, struct trouble *trouble) {
    char own[PATH_MAX];
    if (getcwd(own, sizeof own) == NULL) return note_trouble(trouble, "cannot find the plugin's folder", NULL);
    if (!enter(how)) return note_trouble(trouble, "cannot make mounts of the plugin's own", NULL);
    // Else the calls are refused.
    rules->own_ipc = unshare(CLONE_NEWIPC) == 0;
    if (!keep_devices(rules, trouble)) return false;
    if (!close_files()) return note_trouble(trouble, "cannot close the machine's devices", NULL);
    int tree = clone_mount(".");
    if (tree < 0) return note_trouble(trouble, "cannot keep the plugin's folder", NULL);
    if (!close_kernel() || !close_kernel_places()) return note_trouble(trouble, "cannot close /proc and /sys for writing", NULL);
    if (read_only && !close_for_writing(rules, trouble)) return false;
    for (int i = 0; i < rules->keeps; i++) {
        if (!keep_as_it_is(rules->keep[i])) return note_trouble(trouble, "cannot keep as it is", rules->keep[i]);
    }
    // A plugin's folder in /dev/shm has to stay in sight.
    if (!show_devices(!is_within(own, "/dev"), trouble)) return false;
    for (int i = 0; i < rules->hides; i++) {
        if (!cover(rules->hide[i])) return note_trouble(trouble, "cannot hide", rules->hide[i]);
    }
    for (int i = 0; i < rules->hides; i++) {
        if (is_within(own, rules->hide[i]) && !make_folders(rules->hide[i], own)) {
            return note_trouble(trouble, "cannot make", own);
        }
    }
    if (!attach_mount(tree, own) || chdir(own) != 0) return note_trouble(trouble, "cannot keep", own);
    for (int i = 0; i < rules->hides; i++) {
        if (!close_cover(rules->hide[i])) return note_trouble(trouble, "cannot hide", rules->hide[i]);
    }
    return true;
}
