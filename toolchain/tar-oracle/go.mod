module portcullis/toolchain/tar-oracle

go 1.26.0
