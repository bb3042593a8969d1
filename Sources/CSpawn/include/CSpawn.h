#ifndef CROWBAR_CSPAWN_H
#define CROWBAR_CSPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// The numbers of the descriptors that a started program has besides the three standard ones: what it is to read, and
/// where it is to report.
enum { CSpawn_given = 3, CSpawn_report = 4 };

/// Makes a pipe of which nothing that is started inherits an end, and whose ends have none of the numbers above.
/// Returns 0, or an errno value.
int CSpawn_pipe(int *reading, int *writing);

/// Makes a file that is in memory only, with bytes to be read from the first on, which nothing that is started inherits
/// and which has none of the numbers above. Returns 0, or an errno value.
int CSpawn_memory(const void *bytes, size_t count, int *memory);

/// Starts a program with five descriptors as those from 0 to ``CSpawn_report`` and no other, no environment, no signal
/// blocked or ignored, in a folder. Returns 0 and the process id, or an errno value; then nothing was started.
int CSpawn_start(
    pid_t *pid, const char *path, char *const arguments[], const char *folder, const int descriptors[]);

/// As ``CSpawn_start``, for a program of the server's own: with the environment of this process.
int CSpawn_start_own(
    pid_t *pid, const char *path, char *const arguments[], const char *folder, const int descriptors[]);

/// Opens a folder as its owner sees it, and lets this thread, no other, open files so until ``CSpawn_leave``: an ordinary
/// user with CAP_SETUID needs no right to pass over modes then. As root, and for what belongs to root, nothing changes.
/// Returns the descriptor, or a negative errno value. ``CSpawn_leave`` is to be called with `before` in either case.
int CSpawn_enter(const char *path, uid_t *before);

/// Lets this thread open files as before ``CSpawn_enter``.
void CSpawn_leave(uid_t before);

/// Makes an epoll instance that nothing that is started inherits. Returns its descriptor, or a negative errno value.
int CSpawn_poller(void);

/// No pipe may be watched under this number.
enum { CSpawn_woken = 0 };

/// Makes what ``CSpawn_wake`` takes. Returns its descriptor, or a negative errno value.
int CSpawn_waker(int poller);

/// Ends a wait, the present one or the next. From any thread.
void CSpawn_wake(int waker);

/// Tells once under a number that a pipe is ready to be read, or to be written, or that its other end is closed.
/// Of a pipe that is watched already it tells once more. Returns 0, or an errno value.
int CSpawn_watch(int poller, int pipe, bool writing, uint64_t number, bool again);

/// Forgets a pipe, which has to be done before it is closed.
void CSpawn_forget(int poller, int pipe);

/// Waits until pipes are ready or there is a wake-up, or only looks. Returns how many are ready, at most 64, with their
/// numbers; 0 also when a signal came.
int CSpawn_wait(int poller, int waker, bool blocking, uint64_t numbers[64]);

/// Opens a process as a descriptor that becomes ready to be read when the process ends, and that nothing that is started
/// inherits. Returns it, or a negative errno value.
int CSpawn_process(pid_t pid);

/// Sends a signal to a process that was opened. Returns 0, or an errno value.
int CSpawn_signal(int process, int number);

#endif
