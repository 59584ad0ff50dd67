#include "textflag.h"

// As entry_linux_amd64.s, which has the comments.

#define SYS_read       63
#define SYS_exit_group 94
#define SYS_clone      220
#define SYS_wait4      260

#define CLONE_FLAGS 0x4111
#define EINTR       4

// func entry()
TEXT ·entry(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	MOVD $SYS_clone, R8
	MOVD $CLONE_FLAGS, R0
	MOVD $0, R1
	MOVD $0, R2
	MOVD $0, R3
	MOVD $0, R4
	SVC
	CMP  $0, R0
	BLT  failed
	BNE  parent
	B    _rt0_arm64_linux(SB)

parent:
	MOVD R0, R19

wait:
	MOVD R19, R0
	SUB  $64, RSP, R1
	MOVD R1, R20
	MOVD $0, R2
	MOVD $0, R3
	MOVD $SYS_wait4, R8
	SVC
	CMN  $EINTR, R0
	BEQ  wait
	CMP  R19, R0
	BNE  failed
	MOVWU (R20), R0
	TST  $0x7f, R0
	BNE  failed
	LSR  $8, R0, R0
	CMP  $0, R0
	BEQ  exit
	CMP  $1, R0
	BEQ  exit
	CMP  $65, R0
	BEQ  exit
	CMP  $75, R0
	BEQ  exit

failed:
	MOVD $0, R0
	SUB  $4096, RSP, R1
	MOVD $2048, R2
	MOVD $SYS_read, R8
	SVC
	CMN  $EINTR, R0
	BEQ  failed
	CMP  $0, R0
	BGT  failed
	MOVD $75, R0

exit:
	MOVD $SYS_exit_group, R8
	SVC
	BRK
