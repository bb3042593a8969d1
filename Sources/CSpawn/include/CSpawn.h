#ifndef CROWBAR_CSPAWN_H
#define CROWBAR_CSPAWN_H

#include <sys/types.h>

/// Makes a pipe of which nothing that is started inherits an end, and whose ends are none of the three standard ones.
/// Returns 0, or an errno value.
int CSpawn_pipe(int *reading, int *writing);

/// Starts a program with three descriptors as its standard ones and no other, no signal blocked or ignored, in a folder.
/// Returns 0 and the process id, or an errno value; then nothing was started.
int CSpawn_start(
    pid_t *pid, const char *path, char *const arguments[], char *const environment[], const char *folder, int input,
    int output, int errors);

#endif
