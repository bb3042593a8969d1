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

// Gives a folder's entries to a user. Links are not followed. A file with several names is left as it is: one of them
// may be outside, where a plugin that ran before has linked it from.
static bool give_entries(int folder, uid_t user, gid_t group, int depth) {
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
        if (info.st_uid != user && (is_folder || info.st_nlink == 1)) {
            done = fchownat(dirfd(entries), entry->d_name, user, group, AT_SYMLINK_NOFOLLOW) == 0 || errno == ENOENT;
        }
        if (!is_folder || depth == MAX_DEPTH) continue;
        int below = openat(dirfd(entries), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below >= 0) done = give_entries(below, user, group, depth + 1) && done;
    }
    closedir(entries);
    return done;
}

bool give_folder(uid_t user, gid_t group, struct trouble *trouble) {
    struct stat info;
    int folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || fstat(folder, &info) != 0) return note_trouble(trouble, "cannot open the plugin's folder", NULL);
    if (info.st_uid == user) {
        close(folder);
        return true;
    }
    // The folder itself last, so that a process that is killed in between is followed by one that does it again.
    if (!give_entries(dup(folder), user, group, 0) || fchown(folder, user, group) != 0) {
        note_trouble(trouble, "cannot give the plugin's folder to its user", NULL);
        close(folder);
        return false;
    }
    close(folder);
    return true;
}

bool become_user(uid_t user, gid_t group, struct trouble *trouble) {
    if (setgroups(0, NULL) == 0 && setresgid(group, group, group) == 0 && setresuid(user, user, user) == 0) return true;
    return note_trouble(trouble, "cannot become the plugin's user", NULL);
}
