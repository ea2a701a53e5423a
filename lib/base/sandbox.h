/* sandbox.h - one visible call by which a process gives up what it does not need. */
#ifndef MR_BASE_SANDBOX_H
#define MR_BASE_SANDBOX_H

#include "base/log.h"

/* From now on this process and its children gain no rights by exec, dump no core, and change no
 * file, folder or device node outside the folders `writable` (NULL-terminated list of paths; they must be
 * there now) and /dev; descriptors that are open already keep their rights.  Where the kernel has no Landlock,
 * one debug line says so and the rest holds. */
void mr_sandbox_enter(const char *const *writable, const struct mr_log *log);

/* For a child that reads what strangers wrote: the same without any folder, and from now on it makes no socket,
 * no process and no signal, and its data ends at `memory_max` bytes.  It reads files only in the system's own
 * folders (libraries are loaded at first need), or any if `reads_all`, and makes files in memory.  Where the kernel has no seccomp, one debug line says so and the
 * rest holds. */
void mr_sandbox_confine(uint64_t memory_max, bool reads_all, const struct mr_log *log);

#endif
