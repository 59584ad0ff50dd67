package autosync

import "testing"

func TestIsTemporary(t *testing.T) {
	for _, name := range []string{
		"4913", ".notes.md.swp", ".notes.md.swo", ".a.swa", ".swp", ".bashrc.swp", ".notes.md.swx", ".notes.md.swpx", "notes.md~", "~~",
		"#notes.md#", ".#notes.md", ".~lock.letter.odt#", "lu4171ndh2.tmp", "lu87654.tmp",
		"main.go___jb_tmp___", "main.go___jb_old___", "main.go___jb_bak___",
		"~$letter.docx", "~WRD0001.tmp", "~WRL3412.tmp", "~wrd0001.TMP", "ppt4A2B.tmp", "ppt1C.tmp", "A1B2C3D4", "1F2E3D00", "A1B2C3D4.tmp", "12345678.tmp",
		".goutputstream-X7K2QZ", ".notes.md.kate-swp", ".subl1a2.tmp", "notes.txt.sb-1e2f3a4b-Xy12Zw",
		"big.iso.part", "big.iso.crdownload", "big.iso.partial", "Unconfirmed 123.crdownload",
		".big.iso.aB3dE9", ".x.Zk81Qa", "sedAb12cD", "sedYkA9sZ", "notes.md.5X2K9Q", "notes.md.aBcDeF", ".merge_file_a1B2c3",
		"~syncthing~notes.md.tmp", ".syncthing.notes.md.tmp",
		".nfs000000000123abcd00000001", ".nfs00000000deadbeef", ".fuse_hidden0000001200000001",
		"dir/.notes.md.swp", "a/b/~$x.docx", "é/ü~",
	} {
		if !IsTemporary(name) {
			t.Errorf("%s is not temporary", name)
		}
	}
	for _, name := range []string{
		"notes.md", "notes.tmp.md", "notes.tmp", "tmp", "temp.txt", ".tmp", "part", ".part", "part.txt", "a.parts", "partial", "crdownload", "~", "#", "##", "#1", "C#", "issue #12", ".#",
		"4914", "49130", "4913.txt", "x4913", "notes.swp.md", "notes.swp", "main.swift", ".swift", ".flash.swf", ".a.swz", "swp",
		"lock.odt#", ".~lock.odt", "lumen.tmp", "lu.tmp", "lu12.txt", "luna1.tmp", "jb_tmp", "___jb_tmp___", "pptx", "ppt.tmp", "ppt4A2B.pptx", "pptfinal.tmp",
		"~WRD0001.doc", "WRD0001.tmp", "$letter.docx", "20261130", "DEADBEEF", "CAFEBABE", "a1b2c3d4", "A1B2C3D", "A1B2C3D45", "2026113A", "FACADEDE", "12345678.txt", "FEEDFACE.TMP",
		"goutputstream", ".goutputstream", "kate-swp", ".sublime", "x.sb-1",
		".config.backup", ".eslintrc.config", ".foo.Config", ".foo.README", ".data.2024q1", ".x.fooBar", ".x.v10203", ".npmrc.123456", ".a.tar.xz",
		"sedation1", "sediment", "sedatives", "sedScript", "sedTest01", "sed", "sed.txt", "sed123456", "SedAb12cD",
		"photo.jpg.BACKUP", "data.csv.202611", "firmware.bin.V10203", "sales.csv.2026Q1", "a.b.MyName", "notes.md.sha256", "libfoo.so.1.2.34", "archive.part1.rar", "Makefile.am.in", "README.de.UTF8", "x.tar.SHA512", "doc.pdf.Gz2026",
		"syncthing.tmp", ".syncthing", ".stignore", "nfs0001", ".nfs", ".nfsrc", ".nfs_config", ".fuse_hidden", ".fuse_hidden_notes",
		"dir~/notes.md", ".notes.md.swp/x", "é", "", ".", "..", "\xff", ".DS_Store", ".gitignore", ".vimrc", "#include <x>.h", "a#b#",
	} {
		if IsTemporary(name) {
			t.Errorf("%s is temporary", name)
		}
	}
}

func FuzzIsTemporary(f *testing.F) {
	f.Add(".notes.md.swp")
	f.Fuzz(func(t *testing.T, name string) { IsTemporary(name) })
}
