/* Provides an interface and does not have it.
 * validate: instance.create fail gives no hone.reward/1
 * score: refuses does not offer */
#define GET_IFACE none
#include "hone/plugin.h"
static const void *none(void *self, const char *id)
{
    (void)self;
    (void)id;
    return NULL;
}
#include "hostile.h"
