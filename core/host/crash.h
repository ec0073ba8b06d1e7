/* crash.h - which component a thread is in, and what is said when it takes the process with it.
 *
 * A plugin that is trusted runs in this process: when it crashes or calls exit, nothing can be saved, but its
 * user can be told which plugin it was, in which call, where in its file, and what to run next. So each thread keeps
 * a short stack of the calls it is in, which costs two stores a call. Not for boxes: they have their own (box_serve.c).
 * (plugin-abi.md 5, 7) */
#ifndef HONE_CORE_HOST_CRASH_H
#define HONE_CORE_HOST_CRASH_H
#include "host/registry.h"

/* Handlers for the signals of a crash, and a look at who ends the process; once, by the program. Where a sanitizer is in, only
 * the latter. [control-thread] */
void hone_crash_watch(void);

/* On a signal of a crash `fn` runs, on a stack of its own, with the signal's default restored. Once a process; nothing where
 * a sanitizer is in, whose report is better. [control-thread] */
void hone__crash_on_signal(void (*fn)(int sig));

/* Around each call into an instance; NULL where there is none, or it is not of this process. [any-thread] */
void hone__crash_enter(const hone_component_info *info);
void hone__crash_leave(void);
/* Which call it is: a string that lives for ever. Said where it is known; none otherwise. [any-thread] */
void hone_crash_doing(const char *call);
#endif
