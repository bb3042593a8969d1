#define _GNU_SOURCE
#include "CSpawn.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

int CSpawn_process(pid_t pid) {
    // Closed in whatever is started, as the kernel makes it so.
    int process = (int)syscall(SYS_pidfd_open, pid, 0);
    return process < 0 ? -errno : process;
}

int CSpawn_signal(int process, int number) {
    return syscall(SYS_pidfd_send_signal, process, number, NULL, 0) == 0 ? 0 : errno;
}
