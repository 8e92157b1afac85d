package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
	"golang.org/x/sync/errgroup"

	"segell/internal/ports"
	"segell/queue"
	"segell/storage"
)

const bucketName = "segell"

// startRedis starts a Redis in memory and returns its URL too. It loses everything
// when the sandbox ends, which the ledger does not mind.
func startRedis() (client redis.UniversalClient, url string, stop func(), err error) {
	server := miniredis.NewMiniRedis()
	if err := server.Start(); err != nil {
		return nil, "", nil, fmt.Errorf("starting the embedded Redis: %w", err)
	}
	// Its keys grow old only when told to.
	ticker := time.NewTicker(time.Second)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-ticker.C:
				server.FastForward(time.Second)
			case <-done:
				return
			}
		}
	}()
	url = "redis://" + server.Addr()
	client, err = queue.Open(url)
	return client, url, func() {
		client.Close()
		ticker.Stop()
		close(done)
		server.Close()
	}, err
}

// startS3 starts an S3 server whose objects are files below dir, and returns the
// bucket that is the ledger, and how it is opened.
func startS3(ctx context.Context, group *errgroup.Group, dir string, k *keys) (*storage.Bucket, storage.Config, error) {
	root := filepath.Join(dir, "bucket")
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, storage.Config{}, err
	}
	var store meta.MetadataStorer = meta.XattrMeta{}
	options := posix.PosixOpts{}
	if (meta.XattrMeta{}).Test(root) != nil {
		// A file system without extended attributes: what belongs to an object is
		// kept in files of its own.
		beside := filepath.Join(dir, "bucket-metadata")
		if err := os.MkdirAll(beside, 0o700); err != nil {
			return nil, storage.Config{}, err
		}
		sidecar, err := meta.NewSideCar(beside)
		if err != nil {
			return nil, storage.Config{}, fmt.Errorf("starting the embedded S3 server: %w", err)
		}
		store, options.SideCarDir = sidecar, beside
	}
	backend, err := posix.New(root, store, options)
	if err != nil {
		return nil, storage.Config{}, fmt.Errorf("starting the embedded S3 server: %w", err)
	}
	address, err := ports.Free() // the S3 server cannot be given a listener
	if err != nil {
		return nil, storage.Config{}, err
	}
	group.Go(func() error {
		err := embedgw.RunVersityGW(ctx, backend, &embedgw.Config{RootUserAccess: k.s3Access, RootUserSecret: k.s3Secret, Region: "us-east-1",
			Ports: []string{address}, MaxConnections: 4096, MaxRequests: 2048, MultipartMaxParts: 10_000, KeepAlive: true, Quiet: true, DisableACLs: true})
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("the embedded S3 server ended: %w", err)
	})
	config := storage.Config{Endpoint: "http://" + address, Region: "us-east-1", Bucket: bucketName, AccessKey: k.s3Access, SecretKey: k.s3Secret, PathStyle: true}
	bucket, err := storage.Open(ctx, config)
	if err != nil {
		return nil, storage.Config{}, err
	}
	waiting, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		err := bucket.MakeBucket(waiting)
		if err == nil {
			return bucket, config, nil
		}
		if !errors.Is(err, storage.ErrUnavailable) || waiting.Err() != nil {
			if cause := context.Cause(ctx); cause != nil {
				return nil, storage.Config{}, cause // the server itself says why
			}
			return nil, storage.Config{}, fmt.Errorf("the embedded S3 server does not answer: %w", err)
		}
		select {
		case <-waiting.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}
