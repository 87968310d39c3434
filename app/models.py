"""The normalized tables, as Tortoise models. Commands write them; the projections' definitions read them in SQL.

Constraints that Tortoise cannot say (checks, partial indexes) stand in the migrations. Moments come from PostgreSQL's
clock, so that a machine whose clock is off gives no wrong day.
"""

from uuid import UUID

from tortoise import fields
from tortoise.fields.db_defaults import Now
from tortoise.models import Model

from app.ids import new_id


class User(Model):
    """A person who writes, likes and follows.

    `username_key` is the username without its letter case, `username_skeleton` the username without what eyes overlook;
    of names that were alike before skeletons were kept, only the oldest has it. Access tokens issued before
    `tokens_since` are ended.
    """

    id = fields.UUIDField(primary_key=True, default=new_id)
    username = fields.CharField(max_length=32, unique=True)
    username_key = fields.CharField(max_length=32, unique=True)
    username_skeleton = fields.CharField(max_length=32, unique=True, null=True)
    email = fields.CharField(max_length=254, unique=True)
    hashed_password = fields.CharField(max_length=255)
    is_active = fields.BooleanField(default=True, db_default=True)
    tokens_since = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField(db_default=Now())

    class Meta:
        table = "users"


class RefreshToken(Model):
    """One link of a login's chain of refresh tokens, stored as a digest. `used_at` marks a rotated one."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("blog.User", related_name="refresh_tokens")
    user_id: UUID
    family_id = fields.UUIDField(db_index=True)
    token_hash = fields.CharField(max_length=64, unique=True)
    expires_at = fields.DatetimeField()
    used_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField(db_default=Now())

    class Meta:
        table = "refresh_tokens"


class Post(Model):
    """What an author wrote. `version` grows with every edit and guards against lost updates."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    title = fields.CharField(max_length=200)
    content = fields.TextField()
    author: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("blog.User", related_name="posts")
    author_id: UUID
    version = fields.IntField(default=1, db_default=1)
    created_at = fields.DatetimeField(db_default=Now())
    updated_at = fields.DatetimeField(db_default=Now())

    class Meta:
        table = "posts"


class Like(Model):
    """That a user likes a post, since when."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("blog.User", related_name="likes")
    user_id: UUID
    post: fields.ForeignKeyRelation[Post] = fields.ForeignKeyField("blog.Post", related_name="likes")
    post_id: UUID
    created_at = fields.DatetimeField(db_default=Now())

    class Meta:
        table = "likes"
        unique_together = (("post", "user"),)


class Subscription(Model):
    """That a subscriber follows a target user, since when."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    subscriber: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("blog.User", related_name="subscriptions")
    subscriber_id: UUID
    target_user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("blog.User", related_name="subscribers")
    target_user_id: UUID
    created_at = fields.DatetimeField(db_default=Now())

    class Meta:
        table = "subscriptions"
        unique_together = (("target_user", "subscriber"),)


class Notification(Model):
    """What a subscriber is told about a post, once. `is_read` is the subscriber's own."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("blog.User", related_name="notifications")
    user_id: UUID
    post: fields.ForeignKeyRelation[Post] = fields.ForeignKeyField("blog.Post", related_name="notifications")
    post_id: UUID
    message = fields.CharField(max_length=300)
    is_read = fields.BooleanField(default=False, db_default=False)
    created_at = fields.DatetimeField(db_default=Now())

    class Meta:
        table = "notifications"
        unique_together = (("post", "user"),)


class Announcement(Model):
    """A published post whose subscribers are still being notified, and the last one reached."""

    post: fields.OneToOneRelation[Post] = fields.OneToOneField(
        "blog.Post", related_name="announcement", primary_key=True
    )
    post_id: UUID
    author: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("blog.User", related_name="announcements")
    author_id: UUID
    message = fields.CharField(max_length=300)
    last_subscriber_id = fields.UUIDField(null=True)
    created_at = fields.DatetimeField(db_default=Now())

    class Meta:
        table = "announcements"
