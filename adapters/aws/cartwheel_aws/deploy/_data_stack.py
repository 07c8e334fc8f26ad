"""The stack that keeps data: tables, signing keys, and the bucket of packages.

It is apart from the rest so that a stage can be taken away and come back to its data.
"""

from __future__ import annotations

from cartwheel.manifest import CollectionSpec, Manifest
from cartwheel.ports import Collection, Index, JsonObject
from cartwheel_aws._names import Names
from cartwheel_aws.deploy._parts import logical, put, ref, sub, tags
from cartwheel_aws.deploy._tables import table_of

BUCKET = "PackagesBucket"
KEPT = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
SIGNING_KEY = "_signing_key"
"""How the names of secrets end that the application makes itself."""


def data_stack(manifest: Manifest, names: Names) -> JsonObject:
    """Give the template of a stage's data."""
    resources: JsonObject = {BUCKET: _bucket(names)}
    for collection in manifest.collections:
        put(resources, logical(collection.name, "table"), _table(collection, names))
    for secret in manifest.secrets:
        if secret.endswith(SIGNING_KEY):
            put(resources, logical(secret, "secret"), _secret(secret, names))
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"Data of {manifest.title}, stage {names.stage}; kept when the stage goes",
        "Resources": resources,
        "Outputs": {BUCKET: {"Value": ref(BUCKET)}},
    }


def _table(spec: CollectionSpec, names: Names) -> JsonObject:
    indexes = tuple(Index(one.name, one.field, one.sort) for one in spec.indexes)
    properties = table_of(Collection(spec.name, indexes))
    name = names.table(spec.name)
    return {
        "Type": "AWS::DynamoDB::Table",
        **KEPT,
        "Properties": {"TableName": name, **properties, "Tags": tags(names)},
    }


def _secret(name: str, names: Names) -> JsonObject:
    return {
        "Type": "AWS::SecretsManager::Secret",
        **KEPT,
        "Properties": {
            "Name": names.secret(name),
            "Description": "A signing key of the application's own, made with the stage",
            "GenerateSecretString": {"PasswordLength": 64, "ExcludePunctuation": True},
            "Tags": tags(names),
        },
    }


def _bucket(names: Names) -> JsonObject:
    closed: JsonObject = {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }
    return {
        "Type": "AWS::S3::Bucket",
        **KEPT,
        "Properties": {
            "BucketName": sub(f"{names.bucket}-${{AWS::AccountId}}-${{AWS::Region}}"),
            "PublicAccessBlockConfiguration": closed,
            "Tags": tags(names),
        },
    }
