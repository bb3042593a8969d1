// Who a plugin is: its user and group, and no capability.

#define _GNU_SOURCE
#include "rules.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdint.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    // More than any kernel knows.
    CAPABILITIES = 64,
    // Folders in folders that are given to a user.
    MAX_DEPTH = 64,
};

void drop_bounding_set(void) {
    // Without privilege there is nothing to take away, and the kernel says so.
    for (int i = 0; i < CAPABILITIES; i++) prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
}

bool drop_capabilities(struct trouble *trouble) {
    // Once more, for a new user namespace begins with all of them.
    drop_bounding_set();
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
    if (syscall(SYS_capset, &header, none) == 0) return true;
    return note_trouble(trouble, "cannot give up capabilities", NULL);
}

bool has_capability(int number) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[2];
    if (syscall(SYS_capget, &header, sets) != 0) return false;
    return (sets[CAP_TO_INDEX(number)].effective & CAP_TO_MASK(number)) != 0;
}

void keep_right_to_kill(bool needed) {
    // Root's own are not handed on but by the plugin's side, which drops them.
    if (geteuid() == 0) return;
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    uint32_t kept = needed && has_capability(CAP_KILL) ? CAP_TO_MASK(CAP_KILL) : 0;
    struct __user_cap_data_struct sets[2] = {{kept, kept, 0}, {0, 0, 0}};
    // To have less is always allowed.
    syscall(SYS_capset, &header, sets);
}

void see_as(uid_t user) {
    if (geteuid() != 0 && user != 0) setfsuid(user);
}

// Opens a folder as its owner sees it, and goes on seeing so. The way there is seen as before.
static int open_folder(int above, const char *name, uid_t *owner) {
    struct stat info;
    int folder = -1, place = openat(above, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (place < 0) return -1;
    if (fstat(place, &info) == 0) {
        see_as(*owner = info.st_uid);
        folder = openat(place, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    int error = errno;
    close(place);
    errno = error;
    return folder;
}

bool enter_folder(const char *path, struct trouble *trouble) {
    uid_t owner;
    int folder = open_folder(AT_FDCWD, path, &owner);
    if (folder < 0 || fchdir(folder) != 0) return note_trouble(trouble, "cannot enter the plugin's folder", path);
    close(folder);
    return true;
}

// Gives a folder's entries to a user. Links are not followed. A file with several names is left as it is: one of them
// may be outside, where a plugin that ran before has linked it from. A folder is seen as its owner sees it, so it is
// given after what is in it.
static bool give_entries(int folder, uid_t owner, uid_t user, gid_t group, int depth) {
    DIR *entries = fdopendir(folder);
    if (entries == NULL) {
        close(folder);
        return false;
    }
    bool done = true;
    for (struct dirent *entry; done && (entry = readdir(entries)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        struct stat info;
        if (fstatat(dirfd(entries), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
        bool is_folder = S_ISDIR(info.st_mode);
        if (is_folder && depth < MAX_DEPTH) {
            uid_t next;
            int below = open_folder(dirfd(entries), entry->d_name, &next);
            if (below >= 0) done = give_entries(below, next, user, group, depth + 1);
            see_as(owner);
        }
        if (done && info.st_uid != user && (is_folder || info.st_nlink == 1)) {
            done = fchownat(dirfd(entries), entry->d_name, user, group, AT_SYMLINK_NOFOLLOW) == 0 || errno == ENOENT;
        }
    }
    closedir(entries);
    return done;
}

bool give_folder(uid_t user, gid_t group, struct trouble *trouble) {
    uid_t owner;
    int folder = open_folder(AT_FDCWD, ".", &owner);
    bool done = folder >= 0;
    if (!done) note_trouble(trouble, "cannot open the plugin's folder", NULL);
    // The folder itself last, so that a process that is killed in between is followed by one that does it again.
    if (done && owner != user) {
        done = give_entries(dup(folder), owner, user, group, 0) && fchown(folder, user, group) == 0;
        if (!done) note_trouble(trouble, "cannot give the plugin's folder to its user", NULL);
    }
    if (folder >= 0) close(folder);
    see_as(geteuid());
    return done;
}

bool become_user(uid_t user, gid_t group, struct trouble *trouble) {
    if (setgroups(0, NULL) == 0 && setresgid(group, group, group) == 0 && setresuid(user, user, user) == 0) return true;
    return note_trouble(trouble, "cannot become the plugin's user", NULL);
}
