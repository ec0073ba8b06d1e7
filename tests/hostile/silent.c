/* Fails and does not say why.
 * validate: instance.create fail without saying why
 * score: refuses without saying why */
#define ON_CREATE                                                                                  \
    if (host)                                                                                      \
        return HONE_E_INVALID;
#include "hostile.h"
