/* Built with an SDK that is older than the host it needs: the block was not filled by HONE_MAGIC.
 * validate: library.load fail magic.sdk is 0.0.0
 * score: refuses magic.sdk */
#define MAGIC                                                                                      \
    {                                                                                              \
        sizeof(hone_magic), HONE_EPOCH, 0, 0x000100, 8, 4, 4, 0                                    \
    }
#include "hostile.h"
