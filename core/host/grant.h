/* grant.h - what the command line gave to plugins: --allow=PLUGIN:net,exec,fs-read:PATH,fs-write:PATH, --allow=weak-box.
 *
 * Asking is not getting: what a component may do is what it asks for (hone_component.caps) and what was granted here.
 * Neither a recipe nor a plugin grants anything. A grant names a component by id or short name, or a plugin by the
 * name of its file. Grants to the recipe (--allow=exec, --allow=fs-read:PATH, without a name) pass through here
 * unread: core/lua knows them. (plugin-abi.md 2, recipes-and-cli.md "Sandbox") */
#ifndef HONE_CORE_HOST_GRANT_H
#define HONE_CORE_HOST_GRANT_H
#include "host/registry.h"

/* Adds the grants of a NULL-terminated list (NULL: none). E_USAGE for one that cannot be read: nothing is added
 * then. [control-thread] */
hone_status hone_registry_allow(hone_registry *r, const char *const *grants);
/* One file or folder that the command line named as the component's data: it may read it, if it asks to read files at all. The
 * path is copied. [control-thread] */
hone_status hone_registry_allow_read(hone_registry *r, const hone_component_info *info,
                                     const char *path);
/* HONE_CAP_NET ... of the component: what it asks for and was given. [any-thread] */
uint64_t hone_registry_granted(const hone_registry *r, const hone_component_info *info);
/* The i-th path granted to it for `cap` (HONE_CAP_FS_READ, HONE_CAP_FS_WRITE), or NULL past the end. [any-thread] */
const char *hone_registry_granted_path(const hone_registry *r, const hone_component_info *info,
                                       uint64_t cap, size_t i);
/* --allow=weak-box was given: what needs a box may run under resource limits alone. [any-thread] */
int hone_registry_weak_box(const hone_registry *r);
/* E_REFUSED with the hint what to add to the command line, unless all of `caps` are granted. The text says "it": a
 * call into the instance puts its id in front. [any-thread] */
hone_status hone_registry_need(const hone_registry *r, const hone_component_info *info,
                               uint64_t caps);
#endif
