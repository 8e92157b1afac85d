package storage_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"segell/internal/servers"
	"segell/storage"
)

// What is erased must be gone from a bucket that keeps versions as well, and
// nothing else with it.
func TestDeleteVersions(t *testing.T) {
	server := servers.NewS3(t, servers.Versioned)
	b := server.Bucket("versions")
	ctx := t.Context()
	client := s3.New(s3.Options{Region: "us-east-1", BaseEndpoint: &server.Endpoint, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(server.AccessKey, server.SecretKey, "")})
	if _, err := client.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: aws.String("versions"),
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}}); err != nil {
		t.Fatal(err)
	}
	versions := func(key string) (bodies, markers int) {
		out, err := client.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: aws.String("versions"), Prefix: &key})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range out.Versions {
			if aws.ToString(v.Key) == key {
				bodies++
			}
		}
		return bodies, len(out.DeleteMarkers)
	}
	etag, err := b.Create(ctx, "documents/a", []byte("a name"), storage.Put{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Replace(ctx, "documents/a", etag, nil, storage.Put{}); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"one", "two"} {
		if _, err := b.Write(ctx, "documents/ab", []byte(body), storage.Put{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Write(ctx, "requests/a", []byte("another name"), storage.Put{}); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(ctx, "requests/a"); err != nil {
		t.Fatal(err)
	}
	if n, _ := versions("documents/a"); n != 2 {
		t.Fatalf("the bucket keeps %d versions, want 2: it is not what this test is about", n)
	}
	for _, key := range []string{"documents/a", "requests/a"} {
		if err := b.DeleteVersions(ctx, key); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := versions("documents/a"); n != 1 {
		t.Errorf("%d versions of the replaced object are left, want its present one", n)
	}
	if object, err := b.Get(ctx, "documents/a"); err != nil || len(object.Body) != 0 {
		t.Errorf("the present content is %q, %v", object.Body, err)
	}
	if n, _ := versions("requests/a"); n != 0 {
		t.Errorf("%d versions of the deleted object are left", n)
	}
	if _, err := b.Get(ctx, "requests/a"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("the deleted object came back: %v", err)
	}
	for _, key := range []string{"work/a/seal-1", "work/a/seal-2", "work/ab/seal-1"} {
		if _, err := b.Write(ctx, key, []byte("unfinished"), storage.Put{}); err != nil {
			t.Fatal(err)
		}
		if err := b.Delete(ctx, key); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.DeleteVersions(ctx, "work/a/"); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]int{"work/a/seal-1": 0, "work/a/seal-2": 0, "work/ab/seal-1": 1} {
		if n, _ := versions(key); n != want {
			t.Errorf("%d versions of %s are left, want %d", n, key, want)
		}
	}
	if n, _ := versions("documents/ab"); n != 2 {
		t.Errorf("a neighbour lost versions: %d are left of 2", n)
	}
}
