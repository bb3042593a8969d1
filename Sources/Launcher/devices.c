// Device files, and the file systems of the kernel. Both are ways around what is hidden: a disk's device has the data
// folder's bytes, and root can make the kernel run a program through /proc. They are told by the type of a mount, as
// they can be mounted anywhere.

#define _GNU_SOURCE
#include "rules.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

// File systems through which the kernel is set, by name and by number (linux/magic.h), which is asked too: something
// else may be mounted over one of them.
static const struct type {
    const char *name;
    unsigned long number;
    enum place place;
} types[] = {
    {"proc", 0x9FA0, PLACE_KERNEL}, {"sysfs", 0x62656572, PLACE_KERNEL}, {"cgroup", 0x27E0EB, PLACE_KERNEL},
    {"cgroup2", 0x63677270, PLACE_KERNEL}, {"debugfs", 0x64626720, PLACE_KERNEL},
    {"tracefs", 0x74726163, PLACE_KERNEL}, {"configfs", 0x62656570, PLACE_KERNEL},
    {"securityfs", 0x73636673, PLACE_KERNEL}, {"bpf", 0xCAFE4A11, PLACE_KERNEL},
    {"pstore", 0x6165676C, PLACE_KERNEL}, {"efivarfs", 0xDE5E81E4, PLACE_KERNEL},
    {"selinuxfs", 0xF97CFF8C, PLACE_KERNEL}, {"smackfs", 0x43415D53, PLACE_KERNEL},
    {"binfmt_misc", 0x42494E4D, PLACE_KERNEL}, {"resctrl", 0x7655821, PLACE_KERNEL},
    // Its number is that of tmpfs or ramfs.
    {"devtmpfs", 0, PLACE_DEVICES},
};

static struct {
    char *path;
    enum place place;
} places[MAX_PATHS];
static int place_count;
static bool are_read;

static void add_place(const char *path, const char *type) {
    struct statfs info;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(type, types[i].name) != 0 || place_count == MAX_PATHS) continue;
        if (types[i].number != 0 && (statfs(path, &info) != 0 || (unsigned long)info.f_type != types[i].number)) return;
        places[place_count].path = strdup(path);
        places[place_count].place = types[i].place;
        if (places[place_count].path != NULL) place_count++;
        return;
    }
}

static void read_places(void) {
    static char line[3 * PATH_MAX], point[PATH_MAX], type[64];
    if (are_read) return;
    are_read = true;
    add_place("/dev", "devtmpfs");
    FILE *file = fopen("/proc/self/mountinfo", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *behind = strstr(line, " - ");
        if (behind == NULL || sscanf(behind, " - %63s", type) != 1) continue;
        if (sscanf(line, "%*d %*d %*s %*s %4095s", point) != 1) continue;
        decode_mount(point);
        add_place(point, type);
    }
    if (file != NULL) fclose(file);
}

enum place place_of(const char *path, bool *holds) {
    enum place place = PLACE_USUAL;
    size_t best = 0;
    read_places();
    *holds = false;
    for (int i = 0; i < place_count; i++) {
        size_t length = strlen(places[i].path);
        if (is_within(path, places[i].path) && length > best) {
            best = length;
            // Of devices only the folder as a whole: what is named below it is meant.
            bool is_meant = places[i].place == PLACE_DEVICES && strcmp(path, places[i].path) != 0;
            place = is_meant ? PLACE_USUAL : places[i].place;
        } else if (is_within(places[i].path, path)) {
            *holds = true;
        }
    }
    return place;
}

bool close_kernel_places(void) {
    read_places();
    for (int i = 0; i < place_count; i++) {
        if (places[i].place == PLACE_KERNEL && !close_mount(places[i].path)) return false;
    }
    return true;
}

// What everybody may use, and needs. `log` is the machine's log, a link or a socket.
static const char *const kept_names[] = {"null", "zero", "full", "random", "urandom", "tty", "log"};
enum { KEPT = sizeof kept_names / sizeof *kept_names };

static struct {
    // Where it is shown, and where a link to it was.
    char *path, *link;
    int tree;
    bool is_folder;
} kept[KEPT + 2 * MAX_PATHS];
static int kept_count;

static bool keep(const char *name) {
    struct stat info;
    char *path = realpath(name, NULL);
    if (path == NULL || stat(path, &info) != 0 || !is_within(path, "/dev") || strcmp(path, "/dev") == 0) {
        // A link that leads out of there.
        char target[PATH_MAX];
        ssize_t length = readlink(name, target, sizeof target - 1);
        if (length <= 0 || !is_within(name, "/dev")) {
            free(path);
            return true;
        }
        target[length] = 0;
        free(path);
        kept[kept_count].tree = -1;
        kept[kept_count].path = strdup(target);
        kept[kept_count].link = strdup(name);
        return kept[kept_count].path != NULL && kept[kept_count++].link != NULL;
    }
    int tree = clone_mount(path);
    if (tree < 0) {
        free(path);
        return errno == EACCES;
    }
    kept[kept_count].path = path;
    kept[kept_count].tree = tree;
    kept[kept_count].is_folder = S_ISDIR(info.st_mode);
    kept[kept_count].link = strcmp(path, name) == 0 || strstr(name, "/../") != NULL ? NULL : strdup(name);
    kept_count++;
    return true;
}

bool keep_devices(const struct rules *rules, struct trouble *trouble) {
    char name[64];
    for (int i = 0; i < KEPT; i++) {
        snprintf(name, sizeof name, "/dev/%s", kept_names[i]);
        if (access(name, F_OK) == 0 && !keep(name)) return note_trouble(trouble, "cannot keep the device", name);
    }
    for (int i = 0; i < rules->reads; i++) {
        if (is_within(rules->read[i], "/dev") && !keep(rules->read[i])) {
            return note_trouble(trouble, "[sandbox] read:", rules->read[i]);
        }
    }
    for (int i = 0; i < rules->writes; i++) {
        if (is_within(rules->write[i], "/dev") && !keep(rules->write[i])) {
            return note_trouble(trouble, "[sandbox] write:", rules->write[i]);
        }
    }
    return true;
}

static void make_way(const char *path) {
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    for (char *next = strchr(folder + strlen("/dev/"), '/'); next != NULL; next = strchr(next + 1, '/')) {
        *next = 0;
        mkdir(folder, 0755);
        *next = '/';
    }
}

static bool show(int index) {
    const char *path = kept[index].path, *name = kept[index].link;
    if (name != NULL) {
        make_way(name);
        if (symlink(path, name) != 0 && errno != EEXIST) return false;
    }
    if (kept[index].tree < 0) return true;
    make_way(path);
    int file = kept[index].is_folder ? mkdir(path, 0755) : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file >= 0 && !kept[index].is_folder) close(file);
    if (file < 0 && errno != EEXIST) return false;
    return attach_mount(kept[index].tree, path);
}

bool show_devices(bool has_own, struct trouble *trouble) {
    static const char *const links[][2] = {
        {"/proc/self/fd", "/dev/fd"}, {"/proc/self/fd/0", "/dev/stdin"}, {"/proc/self/fd/1", "/dev/stdout"},
        {"/proc/self/fd/2", "/dev/stderr"},
    };
    mode_t before = umask(0);
    bool done = true;
    if (has_own) {
        done = mount("crowbar", "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=0755,size=64k,nr_inodes=1024") == 0;
        for (size_t i = 0; done && i < sizeof links / sizeof *links; i++) {
            done = symlink(links[i][0], links[i][1]) == 0;
        }
        done = done && mkdir("/dev/shm", 0755) == 0 && mkdir("/dev/pts", 0755) == 0;
        done = done && mount("crowbar", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=64m") == 0;
        // Terminals belong to a user 0, whom a user namespace of one user has not: then there are none.
        if (done && mount("crowbar", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
                          "newinstance,ptmxmode=0666,mode=0620") == 0) {
            done = symlink("pts/ptmx", "/dev/ptmx") == 0;
        }
    }
    for (int i = 0; done && i < kept_count; i++) done = show(i);
    unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC;
    if (done && has_own) done = mount(NULL, "/dev", NULL, flags, NULL) == 0;
    int error = errno;
    umask(before);
    errno = error;
    return done || note_trouble(trouble, "cannot make the plugin's /dev", NULL);
}
