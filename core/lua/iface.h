/* iface.h - any described interface, called from Lua.
 *
 * hone_lua_push_iface pushes a handle: a userdata with one method per slot that is present. Arguments
 * follow the slot's signature: self, call, counts and strides are filled in, arrays are Lua lists, structs
 * tables, sinks collect what is put into them; the result is the slot's value (a status raises), then
 * every `out` argument, then every sink's list. One ffi_cif per slot is prepared when the first handle of
 * the interface is made. A handle whose instance is gone has another generation: using it is an error,
 * never a crash. (plugin-abi.md 8) */
#ifndef HONE_CORE_LUA_IFACE_H
#define HONE_CORE_LUA_IFACE_H
#include "lua/state.h"

/* Pushes a handle of `inst`'s interface `iface_id`; the handle holds a reference to the instance.
 * E_UNSUPPORTED when it lacks it, E_NOT_FOUND when nobody described it. */
hone_status hone_lua_push_iface(lua_State *L, hone_instance *inst, const char *iface_id);
/* Frees what calls used; the state destroys its handles itself. */
void hone_lua_ffi_close(hone_lua *l);
#endif
