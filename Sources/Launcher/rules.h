// What a plugin may use and reach: read from the launcher's options, and laid on the process that becomes the plugin.

#ifndef CROWBAR_RULES_H
#define CROWBAR_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

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
    // The limit is the default, so a plugin that cannot be counted is not stopped for it.
    bool processes_by_default;
    // The user and group that the plugin runs as; 0: those of the host.
    long long user, group;
    // The plugin's own folder, where the host may not enter it as it belongs to the plugin's user; else it is the present
    // one already.
    const char *folder;
    // No sockets but those of this machine's file system.
    bool no_network;
    // The file system is closed but for the system's folders and the paths below.
    bool sandbox;
    // What this machine cannot enforce is an error.
    bool require;
    // The plugin runs even where `hide` cannot be enforced.
    bool may_expose;
    // It has got System V IPC and message queues of its own, which end with it. Found out while the rules are laid.
    bool own_ipc;
    // Folders that the plugin never reaches, but for the one it starts in: the data folder. Written without links, once
    // the rules are laid; the other places where the same folders are mounted are added.
    const char *read[MAX_PATHS], *write[MAX_PATHS], *hide[MAX_PATHS];
    int reads, writes, hides;
    // Files and folders that the plugin may read and never changes, also its own: the manifests, crowbar.toml. In the
    // same way with their other places; what is not there or is hidden is left out.
    const char *keep[MAX_PATHS];
    int keeps;
};

// What went wrong, in a form that goes through a pipe in one write.
struct trouble {
    int error;
    char what[240];
};

// Reads the options up to "--". Returns the index of what follows it, or -1 where an option is not in order.
int read_rules(int count, char **arguments, int from, struct rules *rules);

// Lays the rules on this process and all it will start. Returns false with the trouble noted.
bool apply_rules(struct rules *rules, const char *program, struct trouble *trouble);

// Notes a trouble with the error in errno; returns false.
bool note_trouble(struct trouble *trouble, const char *what, const char *detail);

// Whether a path is a folder or lies below it. Both without links.
bool is_within(const char *path, const char *folder);

// The version of Landlock that the kernel offers; 0 for none.
int landlock_version(void);
// Restricts the file system and, as far as the kernel can, the network and signals. `program` may be read and run.
// `hides`: the hidden folders are left out of what is allowed, and what is to be kept can only be read.
bool restrict_files(const struct rules *rules, const char *program, bool hides, struct trouble *trouble);

// Whether system calls can be refused here: a known processor, and a kernel with seccomp filters.
bool can_filter(void);
bool refuse_calls(const struct rules *rules, bool no_attributes, struct trouble *trouble);

// How a process gets mounts of its own: not at all, as the owner of a new user namespace, or as root.
enum mounts { MOUNTS_NONE, MOUNTS_BY_USER, MOUNTS_BY_ROOT };
// Finds out by trying, in a process that ends.
enum mounts possible_mounts(void);
// Gives this process mounts of its own, in which the hidden folders are empty but for the present folder, what is to be
// kept can only be read and, with `read_only`, nothing can be changed but below the present folder and `write`.
bool hide_folders(struct rules *rules, enum mounts how, bool read_only, struct trouble *trouble);
// Replaces the hidden folders and what is to be kept by their paths without links, and adds the other places where they
// are mounted.
bool find_places(struct rules *rules, struct trouble *trouble);

// For what is mounted. Clones what is below a path, the mounts in it too; attaches such a clone; makes one mount
// read-only, if it can be reached; reads a path of /proc/self/mountinfo.
int clone_mount(const char *path);
bool attach_mount(int tree, const char *path);
bool close_mount(const char *path);
void decode_mount(char *text);

// What a path is in: a file system of the kernel, wherever it is mounted, a folder of devices as a whole, or neither.
enum place { PLACE_USUAL, PLACE_KERNEL, PLACE_DEVICES };
// `holds`: one of the others lies below the path.
enum place place_of(const char *path, bool *holds);
// Makes the file systems of the kernel read-only.
bool close_kernel_places(void);
// Takes hold of the devices that everybody needs and of those that the manifest names, before devices are closed.
bool keep_devices(const struct rules *rules, struct trouble *trouble);
// Shows these, in a /dev of the plugin's own if `has_own`.
bool show_devices(bool has_own, struct trouble *trouble);

// Gives up what root may do.
void drop_bounding_set(void);
bool drop_capabilities(struct trouble *trouble);
// Whether this process has a capability (linux/capability.h) in effect.
bool has_capability(int number);
// The launcher's side, as an ordinary user: gives up all capabilities but that to signal processes of other users, and
// that too where the plugin is of its own user.
void keep_right_to_kill(bool needed);
// Enters the plugin's folder with its owner's eyes, which are kept until `see_as`. An ordinary user needs CAP_SETUID.
bool enter_folder(const char *path, struct trouble *trouble);
// Files are opened with the rights of a user from here on. Nothing changes as root, who needs it not and would lose
// capabilities by it, nor is user 0 ever taken.
void see_as(uid_t user);
// Gives the present folder and all below to a user, where it is another's. Sees as the effective user then.
bool give_folder(uid_t user, gid_t group, struct trouble *trouble);
bool become_user(uid_t user, gid_t group, struct trouble *trouble);

// The launcher's side: finds and ends all that the plugin started.
bool open_processes(void);
// Sends a signal to every descendant (0: none is sent). Returns how many threads they have together, or -1 where they
// could not be counted; then the direct children have had it.
int signal_descendants(int signal_number);
// Whether the plugin has fewer processes and threads than a number, where that is easily told: it looks at the plugin's
// processes only. False where it has more or nobody knows; then `signal_descendants` tells.
bool has_fewer(long long limit);
// Sends a signal to the direct children, which needs nothing that is not open already.
void signal_children(int signal_number);

// A control group for the plugin, where this process may make one; else these do nothing.
void make_group(pid_t launcher);
void join_group(void);
void kill_group(void);
void remove_group(void);

#endif
