// What a plugin may use and reach: read from the launcher's options, and laid on the process that becomes the plugin.

#ifndef CROWBAR_RULES_H
#define CROWBAR_RULES_H

#include <stdbool.h>

enum {
    // Paths of each kind (a manifest's list and what the host adds).
    MAX_PATHS = 256,
};

struct rules {
    // Bytes of data memory of each process; 0: no limit.
    long long memory;
    // Open files of each process; 0: no limit.
    long long files;
    // The soft limit of open files that the host was started with, where it has raised its own; 0: as inherited.
    long long soft_files;
    // Processes and threads of the plugin and all it starts; 0: no limit. Watched by the launcher.
    long long processes;
    // No sockets but those of this machine's file system.
    bool no_network;
    // The file system is closed but for the system's folders and the paths below.
    bool sandbox;
    // What this machine cannot enforce is an error.
    bool require;
    const char *read[MAX_PATHS], *write[MAX_PATHS];
    int reads, writes;
};

// What went wrong, in a form that goes through a pipe in one write.
struct trouble {
    int error;
    char what[240];
};

// Reads the options up to "--". Returns the index of what follows it, or -1 where an option is not in order.
int read_rules(int count, char **arguments, int from, struct rules *rules);

// Lays the rules on this process and all it will start. Returns false with the trouble noted.
bool apply_rules(const struct rules *rules, const char *program, struct trouble *trouble);

// Notes a trouble with the error in errno; returns false.
bool note_trouble(struct trouble *trouble, const char *what, const char *detail);

// The version of Landlock that the kernel offers; 0 for none.
int landlock_version(void);
// Restricts the file system and, as far as the kernel can, the network. `program` may be read and run.
bool restrict_files(const struct rules *rules, const char *program, struct trouble *trouble);

// Whether sockets can be refused here: a known processor, and a kernel with seccomp filters.
bool can_refuse_sockets(void);
bool refuse_sockets(struct trouble *trouble);

#endif
