#define _GNU_SOURCE
#include "CSpawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/// Above those that a program is started with: the standard ones, which a server may have been started without, and two
/// more. So none of them is overwritten before it is put in its place.
static int move_up(int *descriptor) {
    if (*descriptor > CSpawn_report) return 0;
    int moved = fcntl(*descriptor, F_DUPFD_CLOEXEC, CSpawn_report + 1);
    if (moved < 0) return errno;
    close(*descriptor);
    *descriptor = moved;
    return 0;
}

int CSpawn_pipe(int *reading, int *writing) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return errno;
    int problem = move_up(&ends[0]);
    if (problem == 0) problem = move_up(&ends[1]);
    if (problem != 0) {
        close(ends[0]);
        close(ends[1]);
        return problem;
    }
    *reading = ends[0];
    *writing = ends[1];
    return 0;
}

int CSpawn_memory(const void *bytes, size_t count, int *memory) {
    int made = memfd_create("crowbar", MFD_CLOEXEC);
    if (made < 0) return errno;
    int problem = move_up(&made);
    for (size_t done = 0; problem == 0 && done < count;) {
        ssize_t wrote = write(made, (const char *)bytes + done, count - done);
        if (wrote > 0) done += (size_t)wrote;
        else if (errno != EINTR) problem = errno;
    }
    if (problem == 0 && lseek(made, 0, SEEK_SET) != 0) problem = errno;
    if (problem != 0) close(made);
    else *memory = made;
    return problem;
}

static int set_signals(posix_spawnattr_t *attributes) {
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int problem = posix_spawnattr_setsigmask(attributes, &none);
    if (problem == 0) problem = posix_spawnattr_setsigdefault(attributes, &all);
    if (problem == 0) {
        problem = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    }
    return problem;
}

static int set_descriptors(posix_spawn_file_actions_t *actions, const char *folder, const int descriptors[]) {
    int problem = posix_spawn_file_actions_addchdir_np(actions, folder);
    for (int i = 0; problem == 0 && i <= CSpawn_report; i++) {
        problem = posix_spawn_file_actions_adddup2(actions, descriptors[i], i);
    }
    // Not every library in the process marks its descriptors as not to be inherited.
    if (problem == 0) problem = posix_spawn_file_actions_addclosefrom_np(actions, CSpawn_report + 1);
    return problem;
}

static int start(
    pid_t *pid, const char *path, char *const arguments[], const char *folder, const int descriptors[],
    char *const environment[]) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int problem = posix_spawn_file_actions_init(&actions);
    if (problem != 0) return problem;
    problem = posix_spawnattr_init(&attributes);
    if (problem == 0) {
        problem = set_signals(&attributes);
        if (problem == 0) problem = set_descriptors(&actions, folder, descriptors);
        if (problem == 0) problem = posix_spawn(pid, path, &actions, &attributes, arguments, environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return problem;
}

int CSpawn_start(
    pid_t *pid, const char *path, char *const arguments[], const char *folder, const int descriptors[]) {
    // What a program is to be given by its variables would speak to the loader too, before the program does anything.
    char *const environment[] = {NULL};
    return start(pid, path, arguments, folder, descriptors, environment);
}

int CSpawn_start_own(
    pid_t *pid, const char *path, char *const arguments[], const char *folder, const int descriptors[]) {
    return start(pid, path, arguments, folder, descriptors, environ);
}

int CSpawn_enter(const char *path, uid_t *before) {
    struct stat info;
    *before = geteuid();
    int folder = -1, place = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (place < 0) return -errno;
    if (fstat(place, &info) == 0) {
        if (geteuid() != 0 && info.st_uid != 0) setfsuid(info.st_uid);
        folder = openat(place, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    int problem = errno;
    close(place);
    return folder < 0 ? -problem : folder;
}

void CSpawn_leave(uid_t before) {
    if (geteuid() != 0) setfsuid(before);
}
