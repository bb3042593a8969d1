#ifndef CROWBAR_CSPAWN_H
#define CROWBAR_CSPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/// Makes a pipe of which nothing that is started inherits an end, and whose ends are none of the three standard ones.
/// Returns 0, or an errno value.
int CSpawn_pipe(int *reading, int *writing);

/// Starts a program with three descriptors as its standard ones and no other, no signal blocked or ignored, in a folder.
/// Returns 0 and the process id, or an errno value; then nothing was started.
int CSpawn_start(
    pid_t *pid, const char *path, char *const arguments[], char *const environment[], const char *folder, int input,
    int output, int errors);

/// Makes an epoll instance that nothing that is started inherits. Returns its descriptor, or a negative errno value.
int CSpawn_poller(void);

/// Tells once under a number that a pipe is ready to be read, or to be written, or that its other end is closed.
/// Of a pipe that is watched already it tells once more. Returns 0, or an errno value.
int CSpawn_watch(int poller, int pipe, bool writing, uint64_t number, bool again);

/// Forgets a pipe, which has to be done before it is closed.
void CSpawn_forget(int poller, int pipe);

/// Waits until pipes are ready. Returns how many, at most 64, with their numbers; 0 when a signal came.
int CSpawn_wait(int poller, uint64_t numbers[64]);

#endif
