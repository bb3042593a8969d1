// A control group for each plugin (cgroups(7), version 2), where this process may make one below its own: the kernel
// ends all that is in it at once, however fast it forks. Nothing depends on it.

#define _GNU_SOURCE
#include "rules.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE = 2 * PATH_MAX };

static char path[LINE];
// Opened beforehand: cgroup.kill, Linux 5.14.
static int killer = -1;

// The folder of this process's own group; false where there is none.
static bool find_own(char *own) {
    static char line[LINE], inside[PATH_MAX], root[PATH_MAX], point[PATH_MAX];
    bool found = false;
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        found = sscanf(line, "0::%4095s", inside) == 1;
    }
    if (file != NULL) fclose(file);
    if (!found || strstr(inside, "..") != NULL) return false;
    file = fopen("/proc/self/mountinfo", "re");
    found = false;
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        const char *behind = strstr(line, " - ");
        if (behind == NULL || strncmp(behind, " - cgroup2 ", 11) != 0) continue;
        found = sscanf(line, "%*d %*d %*s %4095s %4095s", root, point) == 2 && is_within(inside, root);
    }
    if (file != NULL) fclose(file);
    if (!found) return false;
    snprintf(own, LINE, "%s%s", point, strcmp(root, "/") == 0 ? inside : inside + strlen(root));
    return true;
}

void make_group(pid_t launcher) {
    static char own[LINE];
    if (!find_own(own)) return;
    if (snprintf(path, sizeof path, "%s/crowbar-plugin-%d", own, (int)launcher) >= (int)sizeof path) return;
    if (mkdir(path, 0755) != 0) return;
    int group = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (group >= 0) killer = openat(group, "cgroup.kill", O_WRONLY | O_CLOEXEC);
    if (group >= 0) close(group);
    if (killer < 0) remove_group();
}

void join_group(void) {
    static char file[LINE + 16];
    if (killer < 0) return;
    snprintf(file, sizeof file, "%s/cgroup.procs", path);
    int members = open(file, O_WRONLY | O_CLOEXEC);
    if (members < 0) return;
    // What cannot be moved is found through /proc as everything is.
    ssize_t ignored = write(members, "0", 1);
    (void)ignored;
    close(members);
}

void kill_group(void) {
    if (killer < 0) return;
    ssize_t ignored = write(killer, "1", 1);
    (void)ignored;
}

void remove_group(void) {
    if (path[0] != 0) rmdir(path);
}
