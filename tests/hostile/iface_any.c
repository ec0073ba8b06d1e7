/* Gives its table for any interface.
 * validate: instance.interfaces fail gives a table
 * score: survives */
#define GET_IFACE any
#include "hone/reward.h"
static const void *any(void *self, const char *id);
#include "hostile.h"
static const void *any(void *self, const char *id)
{
    (void)self;
    (void)id;
    return &table;
}
